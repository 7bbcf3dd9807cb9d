"""Deploys services at addresses of their own inside the overlay."""

import logging
from collections.abc import Callable
from typing import Final

from flops_manager.domain.deployments import Deployment
from flops_manager.domain.errors import OrchestratorRefusedError, ServiceAddressTakenError
from flops_manager.ports.address_book import AddressBook
from flops_manager.ports.orchestrator import Deployed, Orchestrator

logger = logging.getLogger(__name__)

ADDRESSES_TO_TRY: Final = 16


class Addresses:
    """Finds a free address for each service that needs one."""

    def __init__(self, orchestrator: Orchestrator, book: AddressBook) -> None:
        self._orchestrator = orchestrator
        self._book = book

    def deploy(self, key: str, describe: Callable[[str], Deployment]) -> Deployed:
        """Deploy at the address that is stored for ``key``, or at the next free one.

        The book has the addresses of this FLOps; only the root knows those of others.
        """
        for _ in range(ADDRESSES_TO_TRY):
            address = self._book.address_for(key)
            try:
                return self._orchestrator.deploy(describe(address))
            except ServiceAddressTakenError:
                logger.info("%s is taken, so %s gets another one", address, key)
                self._book.give_up(key, address)
        raise OrchestratorRefusedError(
            f"The orchestrator refused {ADDRESSES_TO_TRY} service addresses for {key}.",
            hint="Check that its network manager answers and has free addresses.",
        )
