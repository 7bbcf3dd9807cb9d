"""Turns for receiving uploads: a few at a time, because gRPC buffers little of the others.

A sender that is read at full speed has 40 MB and more in buffers of gRPC that we cannot bound;
one that was never read has a few. See docs/adr/0051.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE_SECONDS: Final = 0.02
"""A sender that was silent for so long has no buffers either, and delays nobody."""


class Turn:
    """The turn of one sender; its reader marks each read."""

    def __init__(self, lock: threading.Lock, now: Callable[[], float]) -> None:
        self.called = threading.Condition(lock)
        self._now = now
        self._requested = now()
        self._reads_since = 0.0

    @property
    def waited_seconds(self) -> float:
        """The time since the request for the turn."""
        return self._now() - self._requested

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Mark a read, which may have to wait for the sender."""
        self._reads_since = self._now()
        try:
            yield
        finally:
            self._reads_since = 0.0

    def is_busy(self) -> bool:
        """Return whether data is being received, instead of waiting for the sender."""
        since = self._reads_since
        return not since or self._now() - since < PATIENCE_SECONDS


class Turns:
    """Gives ``most`` turns at a time in the order of requests.

    There is one more turn for each second that the first in line has waited, so that a small
    upload does not have to wait until large ones end.
    """

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._lock = threading.Lock()
        self._line: deque[Turn] = deque()
        self._taken: set[Turn] = set()

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Wait for a turn; it lasts until the block ends."""
        turn = Turn(self._lock, self._now)
        with self._lock:
            self._line.append(turn)
            while self._line[0] is not turn or not self._has_room(turn):
                # No event marks a silent sender, so the first in line polls.
                turn.called.wait(PATIENCE_SECONDS if self._line[0] is turn else None)
            self._line.popleft()
            self._taken.add(turn)
            self._call_first()
        try:
            yield turn
        finally:
            with self._lock:
                self._taken.discard(turn)
                self._call_first()

    def _has_room(self, first: Turn) -> bool:
        busy = sum(turn.is_busy() for turn in self._taken)
        return busy < self._most + int(first.waited_seconds)

    def _call_first(self) -> None:
        if self._line:
            self._line[0].called.notify()
