"""Deploys services at addresses and published ports of their own."""

import logging
from collections.abc import Callable
from typing import Final

from flops_manager.domain.deployments import Deployment
from flops_manager.domain.errors import (
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    ServiceAddressTakenError,
)
from flops_manager.domain.states import ServiceState
from flops_manager.ports.address_book import AddressBook
from flops_manager.ports.identities import Identities
from flops_manager.ports.orchestrator import Deployed, Orchestrator

logger = logging.getLogger(__name__)

ADDRESSES_TO_TRY: Final = 16


class Addresses:
    """Finds a free address or port for each service that needs one, and checks who is there."""

    def __init__(
        self, orchestrator: Orchestrator, book: AddressBook, identities: Identities
    ) -> None:
        self._orchestrator = orchestrator
        self._book = book
        self._identities = identities

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

    def port_for(self, key: str) -> int:
        """Return the port that nodes publish for the service ``key``; see ``AddressBook``."""
        return self._book.port_for(key)

    def release_port(self, key: str) -> None:
        """Give the port of a service that is gone to others, as late as possible."""
        self._book.release_port(key)

    def public_url(self, instance: str, state: ServiceState | None, usual_port: int) -> str:
        """Return the URL at which everybody reaches a service; empty while it has none.

        Raise ``OrchestratorUnavailableError`` if another service answers there.
        """
        if state is None or not state.public_address:
            return ""
        url = f"http://{state.public_address}:{state.port or usual_port}"
        other = self._identities.instance_at(url)
        if other not in {"", instance}:
            raise OrchestratorUnavailableError(
                f"At {url} the service {other} answers instead of {instance}.",
                hint="Its node forwards the port to the wrong service: see the ports of the "
                "services there.",
            )
        return url
