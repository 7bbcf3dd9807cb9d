"""Tokens of users, and the port that verifies them."""

from dataclasses import dataclass
from typing import Final, Protocol

ADMIN: Final = "Admin"
"""The role at the root whose members may act for everyone."""


@dataclass(frozen=True)
class Identity:
    """The user a token stands for, and the roles that the orchestrator gives them."""

    user: str
    roles: frozenset[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        """Return whether this user may act for everyone."""
        return ADMIN in self.roles


class TokenVerifier(Protocol):
    """Finds out whose token it is."""

    def verify(self, token: str) -> Identity:
        """Return the user of ``token``.

        Raise ``NotAuthenticatedError`` for a token that is not good (any more), and
        ``OrchestratorUnavailableError`` if it does not answer.
        """
