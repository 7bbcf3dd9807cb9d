"""Calls to the root as the manager's user: login, token refresh, retries, error translation."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

import jwt
import requests
from requests.adapters import HTTPAdapter
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError
from flops_manager.metrics import ROOT_REQUESTS, ROOT_SECONDS

logger = logging.getLogger(__name__)

T = TypeVar("T")

TIMEOUT_SECONDS: Final = (3.0, 10.0)
"""To connect, and for the answer: the root calls other services of its own, one by one."""

ATTEMPTS: Final = 3
PATIENCE_SECONDS: Final = 10.0
"""No retry after this: published clients give up after 30 seconds."""

PROBE_TIMEOUT_SECONDS: Final = (2.0, 2.0)
"""The same for probes, which give up after a few seconds themselves."""

EARLY_SECONDS: Final = 60.0
"""A token is renewed this long before it expires (after ten minutes)."""

ACTIVE_CLUSTERS: Final = "/api/clusters/active"

LOG_HINT: Final = "See the log of its system manager; its answers contain no reason."


@dataclass(frozen=True)
class Account:
    """The manager's account at the root."""

    user: str
    password: str = field(repr=False)
    organization: str = ""


class OakestraSession:
    """Makes authenticated calls. Threads may share it."""

    def __init__(
        self,
        url: str,
        account: Account,
        monotonic: Callable[[], float] = time.monotonic,
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
    ) -> None:
        self._url = url.rstrip("/")
        self._account = account
        self._monotonic = monotonic
        self._timeout_seconds = timeout_seconds
        self._http = direct_session()
        self._lock = threading.Lock()
        self._token = ""
        self._refresh_token = ""
        self._renew_at = 0.0

    @property
    def user(self) -> str:
        """The manager's own user name at the root."""
        return self._account.user

    def check(self) -> None:
        """Return if the root answers and accepts the login; see ``RootAccess``."""
        document_of(self.call("GET", ACTIVE_CLUSTERS))

    def get(self, path: str, *, missing: Any = None) -> Any:
        """Return the decoded answer, or ``missing`` for 404. Retried within limits."""

        def ask() -> Any:
            answer = self.call("GET", path)
            return missing if answer.status_code == HTTPStatus.NOT_FOUND else document_of(answer)

        return persistently(ask)

    def delete(self, path: str) -> requests.Response:
        """Delete, and return the answer of any status. Retried only if there was none."""
        return persistently(lambda: self.call("DELETE", path))

    def post(self, path: str, document: Any = None) -> Any:
        """Return the decoded answer. Not retried, because the root would do it twice."""
        return document_of(self.call("POST", path, document))

    def call(self, method: str, path: str, document: Any = None) -> requests.Response:
        """Return the answer of any status; log in (again) if needed."""
        token = self._valid_token()
        answer = self._send(method, path, document, token)
        if _is_about_the_token(answer):
            self._forget(token)
            answer = self._send(method, path, document, self._valid_token())
        return answer

    def fetch_active_clusters(self) -> Any:
        """Return the root's list of active clusters, which needs no token."""
        return persistently(lambda: document_of(self._send("GET", ACTIVE_CLUSTERS)))

    def _send(
        self, method: str, path: str, document: Any = None, token: str = ""
    ) -> requests.Response:
        outcome = "unreachable"
        try:
            with reaching(self._url), ROOT_SECONDS.labels(method).time():
                answer = self._http.request(
                    method,
                    f"{self._url}{path}",
                    json=document,
                    headers={"Authorization": f"Bearer {token}"} if token else {},
                    timeout=self._timeout_seconds,
                )
            outcome = _outcome(answer)
        finally:
            ROOT_REQUESTS.labels(method, outcome).inc()
        return answer

    def _valid_token(self) -> str:
        with self._lock:
            if self._token and self._monotonic() < self._renew_at:
                return self._token
            self._token = self._refreshed() or self._logged_in()
            self._renew_at = self._monotonic() + max(_lifetime(self._token) - EARLY_SECONDS, 1.0)
            return self._token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = ""

    def _refreshed(self) -> str:
        if not self._refresh_token:
            return ""
        answer = self._send("POST", "/api/auth/refresh", token=self._refresh_token)
        if not answer.ok:
            logger.info("the refresh token was refused; logging in again")
            self._refresh_token = ""
            return ""
        return _text(document_of(answer), "token", answer)

    def _logged_in(self) -> str:
        account = self._account
        if not account.password:
            raise OrchestratorRefusedError.without_password(account.user)
        credentials = {"username": account.user, "password": account.password}
        if account.organization:
            credentials["organization_name"] = account.organization
        answer = self._send("POST", "/api/auth/login", credentials)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise OrchestratorRefusedError(
                f"The orchestrator refuses the user '{account.user}' or the password.",
                hint="Check FLOPS_OAKESTRA_USER and FLOPS_OAKESTRA_PASSWORD.",
            )
        if answer.status_code == HTTPStatus.NOT_FOUND and account.organization:
            raise OrchestratorRefusedError(
                f"The orchestrator has no organization '{account.organization}'.",
                hint="Check FLOPS_OAKESTRA_ORGANIZATION.",
            )
        tokens = document_of(answer)
        token = _text(tokens, "token", answer)
        self._refresh_token = str(tokens.get("refresh_token") or "")
        return token


def direct_session() -> requests.Session:
    """Return a session without proxies and .netrc, which would affect calls to Oakestra."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=16))
    session.mount("https://", HTTPAdapter(pool_maxsize=16))
    session.trust_env = False
    return session


def persistently(ask: Callable[[], T]) -> T:
    """Call ``ask``, with retries while the orchestrator is unavailable."""
    return Retrying(
        retry=retry_if_exception_type(OrchestratorUnavailableError),
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(PATIENCE_SECONDS),
        wait=wait_random_exponential(multiplier=0.1, max=1.0),
        reraise=True,
    )(ask)


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Translate errors below HTTP."""
    try:
        yield
    except requests.Timeout as error:
        raise OrchestratorUnavailableError(
            f"The orchestrator at {url} does not answer in time.",
            hint="Check whether its system manager is overloaded or hangs.",
        ) from error
    except requests.RequestException as error:
        raise OrchestratorUnavailableError(
            f"The orchestrator at {url} cannot be reached: {type(error).__name__}.",
            hint="Check FLOPS_OAKESTRA_URL, and that its system manager runs.",
        ) from error


def document_of(answer: requests.Response) -> Any:
    """Return the document of a successful answer: JSON, or a JSON string that contains JSON."""
    where = f"{answer.request.method} {answer.url}"
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise OrchestratorUnavailableError(
            f"The orchestrator failed with {answer.status_code} at {where}.", hint=LOG_HINT
        )
    if not answer.ok:
        raise OrchestratorRefusedError(
            f"The orchestrator refused {where} with {answer.status_code}.", hint=LOG_HINT
        )
    try:
        body = answer.json()
        return json.loads(body) if isinstance(body, str) else body
    except ValueError as error:
        raise nonsense(where) from error


def nonsense(where: str) -> OrchestratorUnavailableError:
    """Return the error for an answer of an unexpected form."""
    return OrchestratorUnavailableError(
        f"The orchestrator's answer to {where} has an unexpected form.",
        hint="Check FLOPS_OAKESTRA_URL (it may be another service) and the root's version.",
    )


@contextmanager
def understanding(where: str) -> Iterator[None]:
    """Translate errors of reading a document of an unexpected form."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise nonsense(where) from error


def _outcome(answer: requests.Response) -> str:
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    return "ok" if answer.ok else "refused"


def _is_about_the_token(answer: requests.Response) -> bool:
    """Return whether the token is invalid or expired. Invalid SLAs are answered with 422, too."""
    if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
        return '"msg"' in answer.text
    return answer.status_code == HTTPStatus.UNAUTHORIZED


def _text(document: Any, key: str, answer: requests.Response) -> str:
    text = document.get(key) if isinstance(document, dict) else None
    if not isinstance(text, str) or not text:
        raise nonsense(f"{answer.request.method} {answer.url}")
    return text


def _lifetime(token: str) -> float:
    """Return how many seconds a token is valid, by the root's own clock."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return float(claims["exp"]) - float(claims["iat"])
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        return 0.0
