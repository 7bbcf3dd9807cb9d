"""The graph of clients that share secrets, and its thresholds: the same for server and clients."""

import math
from dataclasses import dataclass
from typing import Final

from flops_contracts.privacy import LEAST_MEMBERS

NEIGHBOURS: Final = 128
"""The most neighbours of a client; with up to one client more, all share with all."""


@dataclass(frozen=True)
class PublicKeys:
    """A client's keys, new in each aggregation: to encrypt shares for it, and for its masks."""

    seal: bytes
    mask: bytes


@dataclass(frozen=True)
class ShareGraph:
    """``size`` clients in a ring; ``part`` of a client's shares recover its secret."""

    size: int
    part: float

    def holders(self, client: int) -> list[int]:
        """Return the clients that hold shares of ``client``: itself and its neighbours."""
        if self.size <= NEIGHBOURS + 1:
            return list(range(self.size))
        reach = NEIGHBOURS // 2
        return sorted((client + step) % self.size for step in range(-reach, reach + 1))

    @property
    def threshold(self) -> int:
        """How many shares recover a secret.

        More than half, so that two halves cannot recover both secrets of a client.
        """
        holders = min(self.size, NEIGHBOURS + 1)
        return max(holders // 2 + 1, math.ceil(self.part * holders))

    @property
    def min_clients(self) -> int:
        """How many clients a sum needs so that it can be unmasked, and is not of two only."""
        return max(self.threshold, LEAST_MEMBERS)
