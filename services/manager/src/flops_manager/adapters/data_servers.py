"""The data servers on the learner nodes, over Arrow Flight."""

import logging
from collections.abc import Mapping
from typing import Final

from flops_contracts.api.answers import TagStats
from flops_contracts.errors import FlopsError
from flops_contracts.text import storable, storable_document

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 3.0


class FlightDataServers:
    """Asks the data server of a node for its ``stats``."""

    def __init__(self, token: str = "", ca: str = "") -> None:
        self._token = token
        self._ca = ca

    def stats(self, address: str) -> Mapping[str, TagStats] | None:
        """Return the data by tag, or None if the server does not answer in time."""
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
            storable(tag.tag): TagStats(
                tag.rows,
                tag.fragments,
                tag.bytes,
                storable_document(tag.columns),
                tag.is_uniform,
                storable(tag.difference),
            )
            for tag in tags
        }
