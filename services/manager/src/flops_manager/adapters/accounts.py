"""Accounts at the root orchestrator, over HTTP."""

from http import HTTPStatus
from typing import Any, Final

from flops_manager.adapters.oakestra_session import (
    TIMEOUT_SECONDS,
    direct_session,
    document_of,
    nonsense,
    reaching,
)
from flops_manager.domain.errors import NotAuthenticatedError
from flops_manager.ports.accounts import Tokens

REFUSED: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)
REFUSED_TOKEN: Final = REFUSED | {HTTPStatus.UNPROCESSABLE_ENTITY}


class OakestraAccounts:
    """Calls the root, with a new session for each user."""

    def __init__(self, root_url: str) -> None:
        self._root_url = root_url.rstrip("/")

    def log_in(self, user: str, password: str, organization: str = "") -> Tokens:
        """See ``Accounts``."""
        credentials = {"username": user, "password": password}
        if organization:
            credentials["organization_name"] = organization
        url = f"{self._root_url}/api/auth/login"
        with reaching(self._root_url), direct_session() as http:
            answer = http.post(url, json=credentials, timeout=TIMEOUT_SECONDS)
        if answer.status_code in REFUSED:
            raise NotAuthenticatedError("Wrong user, password or organization.")
        document = document_of(answer)
        return Tokens(_text(document, "token", url), _text(document, "refresh_token", url))

    def renew(self, refresh_token: str) -> str:
        """See ``Accounts``."""
        url = f"{self._root_url}/api/auth/refresh"
        headers = {"Authorization": f"Bearer {refresh_token}"}
        with reaching(self._root_url), direct_session() as http:
            answer = http.post(url, headers=headers, timeout=TIMEOUT_SECONDS)
        if answer.status_code in REFUSED_TOKEN:
            raise NotAuthenticatedError("The session has ended.", hint="Sign in again.")
        return _text(document_of(answer), "token", url)


def _text(document: Any, key: str, url: str) -> str:
    text = document.get(key) if isinstance(document, dict) else None
    if not isinstance(text, str) or not text:
        raise nonsense(f"POST {url}")
    return text
