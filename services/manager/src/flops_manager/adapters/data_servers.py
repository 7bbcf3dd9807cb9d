"""The data servers on the learner nodes, asked over Arrow Flight."""

import logging
from collections.abc import Mapping
from typing import Final

from flops_contracts.errors import FlopsError
from flops_manager.domain.nodes import TagStats

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 3.0


class FlightDataServers:
    """Asks the data server of a node for its ``stats``."""

    def __init__(self, token: str = "", ca: str = "") -> None:
        self._token = token
        self._ca = ca

    def stats(self, address: str) -> Mapping[str, TagStats] | None:
        """Return what is held by tag, or None if nobody answers in time."""
        # pyarrow takes half a second to import and is needed for placing only.
        from flops_flight.client import DataServer  # noqa: PLC0415

        try:
            with DataServer(
                address,
                self._token,
                ca=self._ca,
                call_timeout_seconds=TIMEOUT_SECONDS,
            ) as server:
                tags = server.stats().tags
        except FlopsError as error:
            logger.warning("no stats from %s: %s", address, error)
            return None
        return {
            one.tag: TagStats(one.rows, one.fragments, one.bytes, one.columns, one.is_uniform)
            for one in tags
        }
