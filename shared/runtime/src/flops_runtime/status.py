"""The status API of a process: /healthz, /readyz, /metrics, /api/status.

The standard library's server, because actors share their environment with the user's packages
and should bring as few of their own as can be.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from flops_runtime.environment import variable_of
from flops_runtime.listening import listening_on
from flops_runtime.logs import CONTEXT
from flops_runtime.settings import ProcessSettings

logger = logging.getLogger(__name__)


class Status:
    """The state and progress of a process; written and read by many threads."""

    def __init__(
        self, service: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._document: dict[str, Any] = {
            "service": service,
            "state": "starting",
            "since": now().isoformat(),
            "done": 0,
            "total": None,
            "round": None,
            "rows": None,
        }
        self._is_ready = False

    def doing(self, state: str, done: float = 0, total: float | None = None) -> None:
        """Set the current activity; the time changes only with the state."""
        with self._lock:
            if state != self._document["state"]:
                self._document["since"] = self._now().isoformat()
            self._document.update(state=state, done=done, total=total)

    def training(self, *, round_: int | None = None, rows: int | None = None) -> None:
        """Set the round or the number of loaded rows; the other stays."""
        CONTEXT.update(**({} if round_ is None else {"round": round_}))
        changes = {"round": round_, "rows": rows}
        with self._lock:
            self._document.update(
                {key: value for key, value in changes.items() if value is not None}
            )

    def ready(self, *, is_ready: bool = True) -> None:
        """Set whether the process is ready."""
        with self._lock:
            self._is_ready = is_ready

    @property
    def is_ready(self) -> bool:
        """True if the process is ready."""
        with self._lock:
            return self._is_ready

    @property
    def state(self) -> str:
        """The current activity, in a few words."""
        with self._lock:
            return str(self._document["state"])

    def document(self) -> dict[str, Any]:
        """Return what /api/status answers."""
        with self._lock:
            return {**self._document, "ready": self._is_ready}


@dataclass(frozen=True)
class Request:
    """A request to a service's own pages; ``peer`` is the caller's address."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str


Page = tuple[HTTPStatus, dict[str, Any]]
Pages = Callable[[Request], Page | None]
"""Answers a request, or None for a page that is not there."""

MAX_BODY_BYTES: Final = 64 * 1024


class StatusServer:
    """Serves a ``Status`` from a thread of its own, from ``start`` to ``close``.

    A service with an API of its own small enough for this server gives its ``pages``. Its metrics
    are those in ``registries``.
    """

    def __init__(
        self,
        settings: ProcessSettings,
        status: Status,
        pages: Pages = lambda _: None,
        registries: Sequence[CollectorRegistry] = (REGISTRY,),
    ) -> None:
        self._settings = settings
        self._registries = registries
        self._status = status
        self._pages = pages
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port it listens on, which the system chose if the settings say 0."""
        return self._server.server_address[1] if self._server else self._settings.status_port

    def start(self) -> None:
        """Listen; raises ``PortTakenError``."""
        status, pages, registries = self._status, self._pages, self._registries

        class Answer(BaseHTTPRequestHandler):
            timeout = 10
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                code, kind, body = _answer(status, registries, self.path.partition("?")[0])
                if code is HTTPStatus.NOT_FOUND:
                    return self._answer_own()
                return self._send(code, kind, body)

            def do_PUT(self) -> None:
                self._answer_own()

            def do_DELETE(self) -> None:
                self._answer_own()

            def _answer_own(self) -> None:
                code, document = pages(_request(self)) or (
                    HTTPStatus.NOT_FOUND,
                    {"message": "no such page"},
                )
                self._send(code, "application/json", json.dumps(document).encode())

            def _send(self, code: HTTPStatus, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                logger.debug(format, *args)

        address = (self._settings.bind_address, self._settings.status_port)
        with listening_on(address, variable_of(type(self._settings), "status_port")):
            self._server = ThreadingHTTPServer(address, Answer)
        self._server.daemon_threads = True
        # The interval bounds how long ``close`` waits, not how fast a request is answered.
        serve = partial(self._server.serve_forever, poll_interval=0.05)
        threading.Thread(target=serve, name="status", daemon=True).start()

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _request(handler: BaseHTTPRequestHandler) -> Request:
    address = urlsplit(handler.path)
    length = handler.headers.get("Content-Length", "0")
    size = min(int(length), MAX_BODY_BYTES) if length.isdigit() else 0
    return Request(
        method=handler.command,
        path=address.path,
        query=dict(parse_qsl(address.query)),
        headers={name.lower(): value for name, value in handler.headers.items()},
        body=handler.rfile.read(size),
        peer=str(handler.client_address[0]),
    )


def _answer(
    status: Status, registries: Sequence[CollectorRegistry], path: str
) -> tuple[HTTPStatus, str, bytes]:
    if path == "/metrics":
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, b"".join(map(generate_latest, registries))
    documents: dict[str, tuple[HTTPStatus, dict[str, Any]]] = {
        "/healthz": (HTTPStatus.OK, {"message": "ok"}),
        "/readyz": (
            (HTTPStatus.OK, {"message": "ready"})
            if status.is_ready
            else (HTTPStatus.SERVICE_UNAVAILABLE, {"message": status.state})
        ),
        "/api/status": (HTTPStatus.OK, status.document()),
    }
    code, document = documents.get(path, (HTTPStatus.NOT_FOUND, {"message": "no such page"}))
    return code, "application/json", json.dumps(document).encode()
