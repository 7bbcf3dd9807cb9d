"""Users log in with a password and refresh their tokens."""

from collections.abc import Iterable
from typing import Any

from werkzeug.security import check_password_hash, generate_password_hash

from flops_local_oakestra.domain.errors import UnknownOrganizationError, WrongCredentialsError
from flops_local_oakestra.domain.users import ORGANIZATION, ORGANIZATION_ID, Credentials, User
from flops_local_oakestra.ports.tokens import Identity, Tokens, TokenType


class Accounts:
    """The users from the settings; none can be added later."""

    def __init__(self, users: Iterable[User], tokens: Tokens) -> None:
        self._users = {user.name: user for user in users}
        self.tokens = tokens

    def login(self, name: str, password: str, organization: str = ORGANIZATION) -> dict[str, str]:
        """Return both tokens."""
        if organization != ORGANIZATION:
            raise UnknownOrganizationError(organization)
        user = self._users.get(name)
        if user is None or not check_password_hash(user.password_hash, password):
            raise WrongCredentialsError(name)
        identity = Identity(user.name, user.roles, ORGANIZATION_ID)
        return {
            "token": self.tokens.issue(identity, TokenType.ACCESS),
            "refresh_token": self.tokens.issue(identity, TokenType.REFRESH),
        }

    def refresh(self, identity: Identity) -> dict[str, str]:
        """Return a new access token for the bearer of a refresh token."""
        return {"token": self.tokens.issue(identity, TokenType.ACCESS)}

    def user(self, name: str) -> User | None:
        """Return the user."""
        return self._users.get(name)

    def user_document(self, name: str) -> dict[str, Any] | None:
        """Return the root's document of the user."""
        user = self._users.get(name)
        return user.document() if user else None


def hashed(credentials: Iterable[Credentials], created_at: str) -> tuple[User, ...]:
    """Return the users with their passwords hashed."""
    return tuple(
        User(entry.name, generate_password_hash(entry.password), entry.roles, created_at)
        for entry in credentials
    )
