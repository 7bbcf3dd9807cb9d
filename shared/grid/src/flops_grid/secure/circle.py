"""Who holds whose shares, and how many of them open a secret: the same for leader and members."""

import math
from dataclasses import dataclass
from typing import Final

from flops_contracts.privacy import LEAST_MEMBERS

NEIGHBOURS: Final = 128
"""With how many others a member shares at most; up to one more member, all share with all."""


@dataclass(frozen=True)
class PublicKeys:
    """A member's, new in each aggregation: for what is sealed to it, and for its masks."""

    seal: bytes
    mask: bytes


@dataclass(frozen=True)
class Circle:
    """``size`` members in a ring; ``part`` of those who hold a member's shares can open it."""

    size: int
    part: float

    def holders(self, member: int) -> list[int]:
        """Return who holds shares of ``member``, itself among them: its neighbours in the ring."""
        if self.size <= NEIGHBOURS + 1:
            return list(range(self.size))
        reach = NEIGHBOURS // 2
        return sorted((member + step) % self.size for step in range(-reach, reach + 1))

    @property
    def threshold(self) -> int:
        """How many shares open a secret: more than half, lest two halves open both of its kinds."""
        holders = min(self.size, NEIGHBOURS + 1)
        return max(holders // 2 + 1, math.ceil(self.part * holders))

    @property
    def least(self) -> int:
        """How many members have to be in a sum: it may be opened, and is not of two only."""
        return max(self.threshold, LEAST_MEMBERS)
