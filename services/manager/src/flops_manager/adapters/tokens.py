"""Oakestra's access tokens, verified by a call to the root or by the root's public key.

Both are a ``TokenVerifier``. The call needs only the root's address, and notices at once when a
user is deleted; the key saves one call per token, but its endpoint is reachable only inside the
root's own network.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import quote

import jwt
import requests

from flops_manager.domain.errors import NotAuthenticatedError, OrchestratorUnavailableError
from flops_manager.ports.tokens import Identity, TokenVerifier

TIMEOUT_SECONDS: Final = (3.0, 5.0)
"""For connecting and for each read; a caller waits for both."""

REFETCH_SECONDS: Final = 5.0
"""The pause between two fetches of the key, so that forged tokens cannot cause many."""

LEEWAY_SECONDS: Final = 5
"""How far the clocks of the root and of this machine may differ."""

HINT: Final = "Log in again; a token lives ten minutes."


def token_verifier(root_url: str, key_url: str = "") -> TokenVerifier:
    """Return the verifier: by key if its endpoint is configured."""
    return KeyTokenVerifier(key_url) if key_url else RootTokenVerifier(root_url)


def _new_session() -> requests.Session:
    """Return a session that adds nothing to requests.

    No cookies of another user's answer, and no password from a .netrc: ``requests`` would send it
    in place of the caller's token.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _claims(token: str, key: str = "") -> dict[str, Any]:
    """Return the claims of ``token``; its signature is verified only if there is a ``key``."""
    options: Any = {"verify_signature": bool(key), "require": ["sub", "exp"], "verify_exp": True}
    claims: dict[str, Any] = jwt.decode(
        token, key=key, algorithms=["RS256"], leeway=LEEWAY_SECONDS, options=options
    )
    if claims.get("type") != "access":
        raise jwt.InvalidTokenError("it is not an access token")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise jwt.InvalidTokenError("it has no user")
    return claims


def _refused(error: jwt.InvalidTokenError) -> NotAuthenticatedError:
    if isinstance(error, jwt.ExpiredSignatureError):
        return NotAuthenticatedError("The token has expired.", hint=HINT)
    return NotAuthenticatedError(f"The token is not valid: {error}.", hint=HINT)


def _roles(value: Any) -> frozenset[str]:
    return frozenset(str(role) for role in value) if isinstance(value, list) else frozenset()


def _get(session: requests.Session, url: str, headers: dict[str, str]) -> tuple[int, Any]:
    """Return the status and the JSON (or None) of ``url``; redirects would leak the token."""
    try:
        answer = session.get(url, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise OrchestratorUnavailableError(
            f"The token cannot be checked: {type(error).__name__} at the orchestrator.",
            hint="Check that the root orchestrator runs and is reachable from the FLOps manager.",
        ) from error
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, None


class RootTokenVerifier:
    """Requests the permissions of the token's user from the root, with that very token.

    An answer is cached for ``believe_seconds``, so that pages that poll do not double the load of
    the root; at most ``remember`` answers are cached.
    """

    def __init__(
        self,
        root_url: str,
        *,
        session: requests.Session | None = None,
        believe_seconds: float = 30.0,
        remember: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root_url = root_url.rstrip("/")
        self._session = session or _new_session()
        self._believe_seconds = believe_seconds
        self._remember = remember
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Identity]] = OrderedDict()

    def verify(self, token: str) -> Identity:
        """See ``TokenVerifier``."""
        try:
            user = _claims(token)["sub"]
        except jwt.InvalidTokenError as error:
            raise _refused(error) from error
        key = sha256(token.encode()).hexdigest()
        with self._lock:
            until, identity = self._known.get(key, (0.0, Identity("")))
        if self._clock() < until:
            return identity
        identity = self._ask(user, token)
        self._keep(key, identity)
        return identity

    def _ask(self, user: str, token: str) -> Identity:
        url = f"{self._root_url}/api/permission/{quote(user, safe='')}"
        status, document = _get(self._session, url, {"Authorization": f"Bearer {token}"})
        if status == HTTPStatus.OK and isinstance(document, dict):
            return Identity(user, _roles(document.get("roles")))
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise NotAuthenticatedError("The orchestrator does not accept the token.", hint=HINT)
        # The root also answers 500 when a user left the organization that the token names.
        raise OrchestratorUnavailableError(
            f"The token cannot be checked: the orchestrator answered {status}.",
            hint="Check that the token's user is still a member of the token's organization.",
        )

    def _keep(self, key: str, identity: Identity) -> None:
        with self._lock:
            self._known[key] = (self._clock() + self._believe_seconds, identity)
            self._known.move_to_end(key)
            while len(self._known) > self._remember:
                self._known.popitem(last=False)


class KeyTokenVerifier:
    """Verifies the signature by the public key of the root's token issuer.

    The issuer makes a new key at each start, so the key is fetched again when a token does not
    match it, at most every ``refetch_seconds``.
    """

    def __init__(
        self,
        key_url: str,
        *,
        session: requests.Session | None = None,
        refetch_seconds: float = REFETCH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key_url = f"{key_url.rstrip('/').removesuffix('/key')}/key"
        self._session = session or _new_session()
        self._refetch_seconds = refetch_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._key = ""
        self._fetched_at = float("-inf")

    def verify(self, token: str) -> Identity:
        """See ``TokenVerifier``."""
        try:
            claims = self._checked(token)
        except jwt.InvalidTokenError as error:
            raise _refused(error) from error
        except jwt.InvalidKeyError as error:
            raise OrchestratorUnavailableError(
                f"The orchestrator's key is not a valid public key: {error}",
                hint="Check FLOPS_OAKESTRA_KEY_URL.",
            ) from error
        return Identity(claims["sub"], _roles(claims.get("roles")))

    def _checked(self, token: str) -> dict[str, Any]:
        _claims(token)  # malformed and expired tokens cost no call
        key = self._key or self._newest_key()
        try:
            return _claims(token, key)
        except (jwt.InvalidSignatureError, jwt.InvalidKeyError):
            newest = self._newest_key()
            if newest == key:
                raise
            return _claims(token, newest)

    def _newest_key(self) -> str:
        with self._lock:
            if self._clock() - self._fetched_at < self._refetch_seconds:
                return self._key
            status, document = _get(self._session, self._key_url, {})
            key = document.get("public_key") if isinstance(document, dict) else None
            if status != HTTPStatus.OK or not isinstance(key, str) or "BEGIN" not in key:
                raise OrchestratorUnavailableError(
                    f"The orchestrator's key endpoint answered {status} without a key.",
                    hint="Check FLOPS_OAKESTRA_KEY_URL.",
                )
            self._key, self._fetched_at = key, self._clock()
            return key
