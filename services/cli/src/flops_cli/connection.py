"""HTTP to the manager: timeouts, bounded retries, token renewal, errors with their reasons."""

from collections.abc import Mapping
from typing import Any, Final

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from flops_cli.credentials import TokenSource
from flops_cli.errors import (
    ClientError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from flops_cli.http import cause_of, is_not_http, session_for
from flops_cli.strangers import MANAGER, who_answers

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 60.0
ATTEMPTS: Final = 4

_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_TRANSIENT: Final = frozenset({429, 502, 503, 504})
"""Statuses that are worth another attempt."""

_HINT: Final = "Set FLOPS_API_URL or --api-url to the manager's address; its port is usually 5072."

Document = dict[str, Any]


class _TransientError(UnreachableError):
    """A failure that is worth another attempt."""


class Connection:
    """Requests to one server. Every request may be sent twice.

    GET and DELETE are harmless to repeat; a request that creates something has an Idempotency-Key.
    """

    def __init__(self, url: str, tokens: TokenSource, first_wait_seconds: float = 0.5) -> None:
        self._url = url.rstrip("/")
        self._tokens = tokens
        self._session = session_for(url)
        self._retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=first_wait_seconds, max=5),
            retry=retry_if_exception_type(_TransientError),
            reraise=True,
        )

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Document:
        """Return the server's JSON object; raise a ``ClientError`` with the server's reason."""
        sent = {key: value for key, value in (query or {}).items() if value not in (None, "")}
        response = self._retrying(
            lambda: self._send(method, path, params=sent, json=body, headers=dict(headers or {}))
        )
        document = _document_or_empty(response)
        if not document:
            raise self._wrong_address()
        return document

    def stream(self, path: str, *, after: int, silence_seconds: float) -> requests.Response:
        """Open a stream of server-sent events; the caller closes it."""
        headers = {"Accept": "text/event-stream"}
        if after:
            headers["Last-Event-ID"] = str(after)
        timeout = (CONNECT_SECONDS, silence_seconds)
        return self._retrying(
            lambda: self._send("GET", path, headers=headers, stream=True, timeout=timeout)
        )

    def _send(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        response = self._send_once(method, path, self._tokens.token(), **kwargs)
        if response.status_code == _UNAUTHORIZED:
            response.close()
            response = self._send_once(method, path, self._tokens.renewed(), **kwargs)
        if not response.ok:
            raise self._error_of(response)
        return response

    def _send_once(self, method: str, path: str, token: str, **kwargs: Any) -> requests.Response:
        headers = {**kwargs.pop("headers", {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        kwargs.setdefault("timeout", (CONNECT_SECONDS, READ_SECONDS))
        try:
            return self._session.request(method, self._url + path, headers=headers, **kwargs)
        except requests.RequestException as error:
            if is_not_http(error):
                raise UnreachableError(
                    f"what listens at {self._url} does not speak HTTP, so it is not a manager",
                    hint=_HINT,
                ) from error
            raise _TransientError(
                f"the manager at {self._url} does not answer: {cause_of(error)}",
                hint="Check FLOPS_API_URL or --api-url, and that the manager is running.",
            ) from error

    def _error_of(self, response: requests.Response) -> ClientError:
        document = _document_or_empty(response)
        # Every answer of a manager has a message and an id; a proxy may have taken the latter.
        if "message" not in document and response.status_code not in _TRANSIENT:
            return self._wrong_address()
        is_unsigned = "X-Request-ID" not in response.headers
        if response.status_code == _NOT_FOUND and is_unsigned and who_answers(self._url) != MANAGER:
            return self._wrong_address()
        return _refusal(response, document)

    def _wrong_address(self) -> ClientError:
        return UnreachableError(
            f"{who_answers(self._url)} answers at {self._url}, not in the way of a manager",
            hint=_HINT,
        )


def _refusal(response: requests.Response, document: Document) -> ClientError:
    message = str(document.get("message") or f"the server answers {response.status_code}")
    errors = problems_in(document.get("errors"))
    if errors:  # the message repeats them for clients that read nothing else
        message = message[: min(_place(problem, message) for problem in errors)].rstrip()
    if response.status_code in _TRANSIENT:
        return _TransientError(message)
    kinds: dict[int, type[ClientError]] = {
        401: NotAllowedError,
        403: NotAllowedError,
        404: NotFoundError,
    }
    default = UnreachableError if response.status_code >= 500 else RefusedError
    return kinds.get(response.status_code, default)(message, errors=errors)


def _place(problem: str, message: str) -> int:
    place = message.find(f" {problem.partition(':')[0]}:")
    return place if place >= 0 else len(message)


def problems_in(errors: Any) -> tuple[str, ...]:
    """Return each problem of an answer as ``path: sentence``."""
    if not isinstance(errors, Mapping):
        return ()
    return tuple(
        f"{path}: {sentence}"
        for path, sentences in errors.items()
        for sentence in (sentences if isinstance(sentences, list) else [sentences])
    )


def _document_or_empty(response: requests.Response) -> Document:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
