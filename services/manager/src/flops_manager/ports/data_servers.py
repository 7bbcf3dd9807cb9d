"""Queries to the data servers on the learner nodes."""

from collections.abc import Mapping
from typing import Protocol

from flops_contracts.api.answers import TagStats


class DataServers(Protocol):
    """Finds out which data are where."""

    def stats(self, address: str) -> Mapping[str, TagStats] | None:
        """Return what the data server at ``address`` (host:port) holds, by tag.

        None if it does not answer within seconds.
        """
