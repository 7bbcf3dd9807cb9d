"""The users of the root and their roles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

ADMIN: Final = "Admin"
ROLES: Final = ("Admin", "Organization_Admin", "Application_Provider", "Infrastructure_Provider")
ORGANIZATION: Final = "root"
ORGANIZATION_ID: Final = sha256(b"organization root").hexdigest()[:24]


class BadUsersError(ValueError):
    """The users in the settings are invalid."""


@dataclass(frozen=True)
class Credentials:
    """A user from the settings."""

    name: str
    password: str = field(repr=False)
    roles: tuple[str, ...] = ("Application_Provider",)


@dataclass(frozen=True)
class User:
    """A user in the root's database, with the password as a hash."""

    name: str
    password_hash: str = field(repr=False)
    roles: tuple[str, ...]
    created_at: str

    @property
    def id(self) -> str:
        """The id that a user lists its applications by."""
        return sha256(f"user {self.name}".encode()).hexdigest()[:24]

    def document(self) -> dict[str, Any]:
        """Return the document of GET /api/user/<name>, with the hash as at the real root."""
        return {
            "_id": {"$oid": self.id},
            "name": self.name,
            "email": "",
            "password": self.password_hash,
            "created_at": self.created_at,
            "roles": list(self.roles),
        }


def read_users(document: Any) -> tuple[Credentials, ...]:
    """Return the users of the settings; Admin/Admin is added unless Admin is among them."""
    if not isinstance(document, list):
        raise BadUsersError("must be a list of objects with name, password and roles")
    users = {user.name: user for user in map(_user, document)}
    users.setdefault(ADMIN, Credentials(ADMIN, ADMIN, ROLES))
    return tuple(users.values())


def _user(entry: Any) -> Credentials:
    if not isinstance(entry, Mapping):
        raise BadUsersError("each user must be an object with name, password and roles")
    name, password = entry.get("name"), entry.get("password")
    roles = entry.get("roles", list(Credentials.roles))
    if not isinstance(name, str) or not name or not isinstance(password, str) or not password:
        raise BadUsersError("each user needs a name and a password")
    if not isinstance(roles, list) or not set(roles) <= set(ROLES):
        raise BadUsersError(f"roles of {name} must be among {', '.join(ROLES)}")
    return Credentials(name, password, tuple(roles))
