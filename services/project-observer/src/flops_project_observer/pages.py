"""The observer's pages: the events as readable lines, and as JSON."""

import json
import logging
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from flops_contracts.orders import ObserveOrder
from flops_project_observer.journal import Journal
from flops_runtime.environment import variable_of
from flops_runtime.listening import listening_on

logger = logging.getLogger(__name__)

Response = tuple[HTTPStatus, str, bytes]


class Pages:
    """Serves a journal from its own thread; with ``port`` 0, the system chooses one.

    ``instance`` is the name of this service, by which a manager recognises it.
    """

    def __init__(
        self, address: str, port: int, project_id: str, journal: Journal, instance: str = ""
    ) -> None:
        self._address = (address, port)
        self._project_id = project_id
        self._instance = instance
        self._journal = journal
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
        """The port of the pages."""
        return self._server.server_address[1] if self._server else self._address[1]

    def start(self) -> None:
        """Listen; raises ``PortTakenError``."""
        answer = self.answer

        class Request(BaseHTTPRequestHandler):
            timeout = 10
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                code, kind, body = answer(self.path)
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                logger.debug(format, *args)

        with listening_on(self._address, variable_of(ObserveOrder, "port")):
            self._server = ThreadingHTTPServer(self._address, Request)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="pages", daemon=True).start()

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, target: str) -> Response:
        """Return the response to a GET of ``target``."""
        url = urlsplit(target)
        if url.path == "/":
            return self._story()
        if url.path.rstrip("/") == "/api/events":
            return self._events(parse_qs(url.query).get("after", ["0"])[0])
        if url.path in {"/healthz", "/readyz"}:
            return _json(HTTPStatus.OK, {"message": "ok", "instance": self._instance})
        return _json(HTTPStatus.NOT_FOUND, {"message": "page not found; see / and /api/events"})

    def _story(self) -> Response:
        lines = [f"Project {self._project_id}", ""]
        lines += [entry.line for entry in self._journal.after(0)] or ["Nothing has happened yet."]
        return HTTPStatus.OK, "text/plain; charset=utf-8", ("\n".join(lines) + "\n").encode()

    def _events(self, after: str) -> Response:
        if not after.isdecimal() or len(after) > 18:
            message = "after must be a whole number: the number of the last event you have"
            return _json(HTTPStatus.BAD_REQUEST, {"message": message})
        entries = self._journal.after(int(after))
        events = [{"seq": entry.number, "line": entry.line, **entry.document} for entry in entries]
        return _json(HTTPStatus.OK, {"message": "ok", "events": events})


def _json(code: HTTPStatus, document: dict[str, Any]) -> Response:
    return code, "application/json", json.dumps(document).encode()
