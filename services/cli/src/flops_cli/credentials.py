"""Logging in at the root orchestrator, and storing its tokens in the user's folder."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import requests

from flops_cli.errors import NotAllowedError, UnreachableError
from flops_cli.http import cause_of, session_for
from flops_cli.strangers import ROOT, who_answers

TIMEOUT_SECONDS = 15.0
_REFUSED = frozenset({401, 403})


class TokenSource(Protocol):
    """Provides the client's token."""

    def token(self) -> str:
        """Return a token; raise ``NotAllowedError`` if there is none."""

    def renewed(self) -> str:
        """Return a new token after the last one was refused; raise ``NotAllowedError``."""


@dataclass(frozen=True)
class Tokens:
    """The result of a login. The token is valid for ten minutes, the refresh token for days."""

    user: str
    oakestra_url: str
    token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class RootLogin:
    """The root orchestrator's login, which refuses without a reason; the errors here add one."""

    def __init__(self, oakestra_url: str) -> None:
        self._url = oakestra_url

    def log_in(self, user: str, password: str) -> Tokens:
        """Return tokens; raise ``NotAllowedError`` or ``UnreachableError``."""
        answer = self._post("/api/auth/login", json={"username": user, "password": password})
        if "token" not in answer:
            raise NotAllowedError(
                f"{self._url} rejects this password of user '{user}'",
                hint="Check the name and the password; `flops login` asks for both.",
            )
        return Tokens(user, self._url, str(answer["token"]), str(answer.get("refresh_token", "")))

    def refresh(self, tokens: Tokens) -> Tokens:
        """Return renewed tokens; raise ``NotAllowedError`` or ``UnreachableError``."""
        headers = {"Authorization": f"Bearer {tokens.refresh_token}"}
        answer = self._post("/api/auth/refresh", headers=headers)
        if "token" not in answer:
            raise NotAllowedError("the login has expired", hint="Run `flops login`.")
        return Tokens(tokens.user, self._url, str(answer["token"]), tokens.refresh_token)

    def _post(self, path: str, **kwargs: Any) -> dict[str, Any]:
        try:
            with session_for(self._url) as session:
                response = session.post(self._url + path, timeout=TIMEOUT_SECONDS, **kwargs)
        except requests.RequestException as error:
            raise UnreachableError(
                f"the root orchestrator at {self._url} does not answer: {cause_of(error)}",
                hint="Check FLOPS_OAKESTRA_URL or --oakestra-url.",
            ) from error
        if response.status_code >= 500:
            raise UnreachableError(f"{self._url}{path} answers with status {response.status_code}")
        if response.status_code in _REFUSED:
            return {}
        try:
            answer = response.json() if response.ok else None
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return answer
        answering = who_answers(self._url)
        if answering == ROOT:
            return {}
        raise UnreachableError(
            f"{answering} answers at {self._url}, not in the way of a root orchestrator",
            hint="Set FLOPS_OAKESTRA_URL or --oakestra-url to the root's address; its port is "
            "usually 10000.",
        )


class TokenFile:
    """``credentials.json`` in the user's configuration folder, readable only by the user."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "credentials.json"

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def read(self) -> Tokens | None:
        """Return the stored tokens; None if there are none or the file is broken."""
        try:
            return Tokens(**json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, tokens: Tokens) -> None:
        """Replace the stored tokens atomically, with mode 600 from the first byte."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(tokens), file)
        draft.replace(self._path)


class PasswordTokens:
    """Tokens by user and password, for scripts; nothing is stored."""

    def __init__(self, login: RootLogin, user: str, password: str) -> None:
        self._log_in: Callable[[], Tokens] = lambda: login.log_in(user, password)
        self._token = ""

    def token(self) -> str:
        """Log in on the first call."""
        return self._token or self.renewed()

    def renewed(self) -> str:
        """Log in again."""
        self._token = self._log_in().token
        return self._token


class StoredTokens:
    """The tokens of an earlier ``flops login``, refreshed when they have expired."""

    def __init__(self, file: TokenFile) -> None:
        self._file = file

    def token(self) -> str:
        """Return the stored token."""
        return self._stored().token

    def renewed(self) -> str:
        """Refresh and store the tokens."""
        stored = self._stored()
        tokens = RootLogin(stored.oakestra_url).refresh(stored)
        self._file.write(tokens)
        return tokens.token

    def _stored(self) -> Tokens:
        tokens = self._file.read()
        if tokens is None:
            raise NotAllowedError(
                "not logged in",
                hint="Run `flops login`, or set FLOPS_USER and FLOPS_PASSWORD. For a suite on this "
                "machine, use the lines that `make up` prints.",
            )
        return tokens
