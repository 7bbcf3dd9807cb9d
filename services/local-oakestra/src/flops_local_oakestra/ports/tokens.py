"""Tokens, which prove the identity of callers."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol


@unique
class TokenType(StrEnum):
    """The ``type`` claim."""

    ACCESS = "access"
    REFRESH = "refresh"


class BadTokenError(Exception):
    """A token is malformed (``is_malformed``), missing or expired."""

    def __init__(self, message: str, *, is_malformed: bool) -> None:
        super().__init__(message)
        self.is_malformed = is_malformed


@dataclass(frozen=True)
class Identity:
    """The bearer of a token."""

    name: str
    roles: tuple[str, ...]
    organization: str


class Tokens(Protocol):
    """Issues tokens and checks them."""

    @property
    def public_key(self) -> str:
        """The key that verifies tokens, as PEM."""

    def issue(self, identity: Identity, type: TokenType) -> str:
        """Return a new token."""

    def verify(self, token: str, type: TokenType) -> Identity:
        """Return the bearer of ``token``; raise ``BadTokenError``."""
