"""Receives webhooks, with limits on everything that a stranger could send."""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

logger = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 4096
SOCKET_SECONDS: Final = 5.0
AT_ONCE: Final = 16


class HookReceiver:
    """Calls ``tell`` for every request to the secret path that is about the entity."""

    def __init__(
        self, address: str, port: int, path: str, entity: str, events: Sequence[str]
    ) -> None:
        self._address = (address, port)
        self._path = f"/{path}"
        self._entity = entity
        self._events = frozenset(events)
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._server: ThreadingHTTPServer | None = None

    def start(self, tell: Callable[[], None]) -> None:
        """Listen, if it does not yet. Raises ``OSError`` if the port is taken."""
        if self._server is not None:
            return
        receiver = self

        class Receive(BaseHTTPRequestHandler):
            timeout = SOCKET_SECONDS
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self.close_connection = True
                status = receiver.judge(self)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if status is HTTPStatus.NO_CONTENT:
                    tell()

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing: the path is a secret."""

        self._server = _BoundedServer(self._address, Receive, self._room)
        serve = partial(self._server.serve_forever, poll_interval=0.05)
        threading.Thread(target=serve, name="webhooks", daemon=True).start()

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def judge(self, request: BaseHTTPRequestHandler) -> HTTPStatus:
        """Return the status to answer; only 204 means that the request is valid."""
        if not secrets.compare_digest(request.path.encode(), self._path.encode()):
            return HTTPStatus.NOT_FOUND
        length = request.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return HTTPStatus.LENGTH_REQUIRED
        if int(length) > MAX_BODY_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            document = json.loads(request.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return HTTPStatus.BAD_REQUEST
        if not isinstance(document, dict) or document.get("entity") != self._entity:
            return HTTPStatus.BAD_REQUEST
        is_expected = document.get("event") in self._events
        return HTTPStatus.NO_CONTENT if is_expected else HTTPStatus.BAD_REQUEST


class _BoundedServer(ThreadingHTTPServer):
    """Drops connections beyond the limit instead of starting ever more threads."""

    daemon_threads = True

    def __init__(self, address: Any, handler: Any, room: threading.BoundedSemaphore) -> None:
        super().__init__(address, handler)
        self._room = room

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the request, if there is room."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve the request, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()
