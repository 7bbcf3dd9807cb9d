"""Tokens as the root's jwt_generator issues them: RS256, with a key pair of this process."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from flops_local_oakestra.ports.tokens import BadTokenError, Identity, TokenType

LIFETIMES: Final = {
    TokenType.ACCESS: timedelta(seconds=600),
    TokenType.REFRESH: timedelta(days=30),
}
_WRONG_TYPE: Final = {
    TokenType.ACCESS: "Only non-refresh tokens are allowed",
    TokenType.REFRESH: "Only refresh tokens are allowed",
}


class Rs256Tokens:
    """Issues and verifies tokens; as at the root, those of an earlier process are invalid."""

    def __init__(self, key: rsa.RSAPrivateKey, now: Callable[[], datetime]) -> None:
        self._key = key
        self._now = now

    @property
    def public_key(self) -> str:
        """The public half as PEM."""
        return (
            self._key.public_key()
            .public_bytes(
                encoding=serialization.Encoding.PEM,
                format=serialization.PublicFormat.SubjectPublicKeyInfo,
            )
            .decode()
        )

    def issue(self, identity: Identity, type: TokenType) -> str:
        """Return a token with all claims of the root's."""
        now = self._now()
        claims = {
            "fresh": False,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIMES[type],
            "jti": str(uuid.uuid4()),
            "csrf": str(uuid.uuid4()),
            "type": str(type),
            "sub": identity.name,
            "user": identity.name,
            "roles": list(identity.roles),
            "organization": identity.organization,
        }
        return jwt.encode(claims, self._key, algorithm="RS256")

    def verify(self, token: str, type: TokenType) -> Identity:
        """Check signature, time and type."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), algorithms=["RS256"], options={"require": ["exp"]}
            )
        except jwt.ExpiredSignatureError as error:
            raise BadTokenError("Token has expired", is_malformed=False) from error
        except jwt.InvalidTokenError as error:
            raise BadTokenError(str(error), is_malformed=True) from error
        if claims.get("type") != type:
            raise BadTokenError(_WRONG_TYPE[type], is_malformed=True)
        return Identity(claims["sub"], tuple(claims["roles"]), claims["organization"])


def new_key() -> rsa.RSAPrivateKey:
    """Return a key pair for one run of this process."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
