"""Calls to the root as the manager's own user: logging in, refreshing, retrying, translating."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import jwt
import requests
from requests.adapters import HTTPAdapter
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from flops_manager.adapters.oakestra_documents import decoded
from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = (5.0, 20.0)
"""To connect, and to be answered."""

ATTEMPTS: Final = 3
EARLY_SECONDS: Final = 60.0
"""A token is renewed this long before it runs out (it lives ten minutes)."""

_NOT_LOGGED_IN: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY}
"""How the root says that a token is no good (any more); the second for malformed ones."""


@dataclass(frozen=True)
class Account:
    """Who the manager is at the root."""

    user: str
    password: str = field(repr=False)
    organization: str = ""


class OakestraSession:
    """Makes authenticated calls. Threads may share it."""

    def __init__(
        self, url: str, account: Account, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url.rstrip("/")
        self._account = account
        self._monotonic = monotonic
        self._http = requests.Session()
        self._http.mount("http://", HTTPAdapter(pool_maxsize=16))
        self._http.mount("https://", HTTPAdapter(pool_maxsize=16))
        # Neither a proxy nor a .netrc may come between the manager and its orchestrator.
        self._http.trust_env = False
        self._lock = threading.Lock()
        self._token = ""
        self._refresh_token = ""
        self._renew_at = 0.0

    @property
    def user(self) -> str:
        """The manager's own user name at the root."""
        return self._account.user

    def get(self, path: str, *, missing: Any = None) -> Any:
        """Return the decoded answer, or ``missing`` for 404. Tried again within bounds."""
        for attempt in Retrying(
            retry=retry_if_exception_type(OrchestratorUnavailableError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        ):
            with attempt:
                answer = self.call("GET", path)
                if answer.status_code == HTTPStatus.NOT_FOUND:
                    return missing
                return decoded(self._checked(answer))
        raise AssertionError("tenacity returns or raises")

    def post(self, path: str, document: Any = None) -> Any:
        """Return the decoded answer; sent once, because the root takes a second as a new one."""
        return decoded(self._checked(self.call("POST", path, document)))

    def call(self, method: str, path: str, document: Any = None) -> requests.Response:
        """Return the answer whatever its status; log in (again) where that is needed."""
        answer = self._send(method, path, document, self._valid_token())
        if answer.status_code in _NOT_LOGGED_IN:
            self._forget(answer.request.headers.get("Authorization", ""))
            answer = self._send(method, path, document, self._valid_token())
        return answer

    def fetch(self, url: str) -> Any:
        """Return the decoded answer of a part of Oakestra that asks for no token."""
        try:
            return decoded(self._checked(self._http.get(url, timeout=TIMEOUT_SECONDS)))
        except requests.RequestException as error:
            raise _unavailable(url, error) from error

    def fetch_active_clusters(self) -> Any:
        """Return the root's list of active clusters."""
        return self.fetch(f"{self._url}/api/clusters/active")

    def _send(self, method: str, path: str, document: Any, token: str) -> requests.Response:
        try:
            return self._http.request(
                method,
                f"{self._url}{path}",
                json=document,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise _unavailable(self._url, error) from error

    def _valid_token(self) -> str:
        with self._lock:
            if self._token and self._monotonic() < self._renew_at:
                return self._token
            self._token = self._refreshed() or self._logged_in()
            self._renew_at = self._monotonic() + max(_lifetime(self._token) - EARLY_SECONDS, 1.0)
            return self._token

    def _forget(self, authorization: str) -> None:
        with self._lock:
            if authorization == f"Bearer {self._token}":
                self._token = ""

    def _refreshed(self) -> str:
        if not self._refresh_token:
            return ""
        answer = self._send("POST", "/api/auth/refresh", None, self._refresh_token)
        if not answer.ok:
            logger.info("the refresh token is refused, so the manager logs in again")
            self._refresh_token = ""
            return ""
        return str(_json(answer)["token"])

    def _logged_in(self) -> str:
        account = self._account
        credentials = {"username": account.user, "password": account.password}
        if account.organization:
            credentials["organization_name"] = account.organization
        answer = self._send("POST", "/api/auth/login", credentials, "")
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise OrchestratorRefusedError(
                f"The orchestrator refuses the user '{account.user}' or the password.",
                hint="Check FLOPS_OAKESTRA_USER and FLOPS_OAKESTRA_PASSWORD.",
            )
        tokens = self._checked(answer)
        self._refresh_token = str(tokens.get("refresh_token") or "")
        return str(tokens["token"])

    def _checked(self, answer: requests.Response) -> Any:
        where = f"{answer.request.method} {answer.url}"
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise OrchestratorUnavailableError(
                f"The orchestrator answered {answer.status_code} to {where}.",
                hint="Look at the log of its system manager.",
            )
        if not answer.ok:
            # The root's error bodies never carry a reason.
            raise OrchestratorRefusedError(
                f"The orchestrator refused {where} with {answer.status_code}.",
                hint="Look at the log of its system manager.",
            )
        return _json(answer)


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise OrchestratorUnavailableError(
            f"{answer.url} answered something that is no JSON.",
            hint="Check FLOPS_OAKESTRA_URL; it may be another service.",
        ) from error


def _lifetime(token: str) -> float:
    """Return how many seconds a token is good for, by the root's own clock."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return float(claims["exp"]) - float(claims["iat"])
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        return 0.0


def _unavailable(url: str, error: Exception) -> OrchestratorUnavailableError:
    return OrchestratorUnavailableError(
        f"The orchestrator at {url} does not answer: {type(error).__name__}.",
        hint="Check FLOPS_OAKESTRA_URL, and that its system manager runs.",
    )
