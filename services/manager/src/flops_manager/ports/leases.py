"""Leases for work that only one process may do at a time."""

from typing import Protocol


class Leases(Protocol):
    """Named leases that run out by themselves if nobody renews them."""

    def acquire(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew the lease; return False if somebody else has it."""

    def release(self, name: str, holder: str) -> None:
        """Give the lease back; it is fine if ``holder`` does not have it."""
