"""A registry with scripted answers, to see how its callers react to them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """One answer; without a status the connection is cut instead.

    ``missing`` bytes are promised beyond the body, but never come.
    """

    status: int = 0
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0


CUT = Answer()


class HostileRegistry:
    """Answers calls of ``"METHOD part-of-path"`` in order; the last answer is given for ever.

    Where several fit, the longest counts.
    """

    def __init__(self, port: int = 0) -> None:
        self.calls: list[str] = []
        self.logins: list[str] = []
        self._answers: dict[str, list[Answer]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.address = f"127.0.0.1:{self._server.server_port}"

    def on(self, call: str, *answers: Answer) -> None:
        """Set the answers to a call; calls without answers get 404."""
        self._answers[call] = list(answers)

    def count(self, call: str) -> int:
        """Return how often a call was made."""
        return sum(self._is(call, other) for other in self.calls)

    @contextmanager
    def running(self) -> Iterator["HostileRegistry"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, made: str) -> Answer:
        self.calls.append(made)
        pattern = max((call for call in self._answers if self._is(call, made)), key=len, default="")
        answers = self._answers.get(pattern, [Answer(404, "not found")])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    @staticmethod
    def _is(call: str, made: str) -> bool:
        method, _, part = call.partition(" ")
        return made.startswith(f"{method} ") and part in made

    def _handler(registry) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - self is the handler's
        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                registry.logins.append(self.headers.get("Authorization", ""))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = registry._answer(f"{self.command} {self.path}")
                if not answer.status:
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for name, text in answer.headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(answer.body) + answer.missing))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body.encode())
                self.close_connection = bool(answer.missing)

            do_GET = do_HEAD = do_POST = do_PUT = _do  # noqa: N815 - asked for

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler
