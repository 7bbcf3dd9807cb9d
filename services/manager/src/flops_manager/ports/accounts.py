"""Signing in with an account of the orchestrator, for people with a browser."""

from typing import NamedTuple, Protocol


class Tokens(NamedTuple):
    """An access token for minutes, and a refresh token that renews it for days."""

    access: str
    refresh: str


class Accounts(Protocol):
    """Exchanges a password, later a refresh token, for access tokens.

    Both raise ``NotAuthenticatedError`` if refused, and ``OrchestratorUnavailableError``.
    """

    def log_in(self, user: str, password: str, organization: str = "") -> Tokens:
        """Return the tokens of a user."""

    def renew(self, refresh_token: str) -> str:
        """Return a new access token."""
