"""Ends connections without heartbeats."""

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Line(Protocol):
    """A connection on which a frame comes every few seconds."""

    heard: float
    """When the last frame came, by ``time.monotonic``."""

    @property
    def may_be_silent(self) -> bool:
        """Return whether silence is allowed now."""


class Pulse:
    """Calls ``end`` for each watched line that is silent for longer than ``silence_seconds``.

    gRPC's own keepalive notices a lost machine or a stopped process; this notices a hanging
    interpreter as well.
    """

    def __init__(self, silence_seconds: float) -> None:
        self._silence_seconds = silence_seconds
        self._lines: dict[int, tuple[Line, Callable[[], object]]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grid-pulse", daemon=True)

    def start(self) -> None:
        """Start checking."""
        self._thread.start()

    def stop(self) -> None:
        """Stop checking; safe to call twice, also if it never started."""
        self._stop.set()
        if self._thread.ident and self._thread is not threading.current_thread():
            self._thread.join(5)

    def watch(self, line: Line, end: Callable[[], object]) -> None:
        """Check ``line`` from now on."""
        with self._lock:
            self._lines[id(line)] = (line, end)

    def forget(self, line: Line) -> None:
        """Stop checking ``line``."""
        with self._lock:
            self._lines.pop(id(line), None)

    def _run(self) -> None:
        while not self._stop.wait(min(1.0, self._silence_seconds / 4)):
            now = time.monotonic()
            with self._lock:
                lines = list(self._lines.values())
            for line, end in lines:
                if not line.may_be_silent and now - line.heard > self._silence_seconds:
                    self.forget(line)
                    end()
