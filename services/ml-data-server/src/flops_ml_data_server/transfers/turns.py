"""Who of many senders is read: a few at a time, because of the others gRPC takes in little.

A sender that is read at full speed has 40 MB and more on their way in buffers of gRPC that nothing
here can bound; one that was never read has a few. See docs/adr/0051.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE_SECONDS: Final = 0.02
"""A sender that has had nothing more for so long has no buffers either: it keeps nobody waiting."""


class Turn:
    """That of one sender: whoever reads says before and after each read that it does."""

    def __init__(self, lock: threading.Lock, now: Callable[[], float]) -> None:
        self.called = threading.Condition(lock)
        self._now = now
        self._asked = now()
        self._reads_since = 0.0

    @property
    def waited_seconds(self) -> float:
        """How long ago it was asked for."""
        return self._now() - self._asked

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Mark the time in which it may be that nothing comes."""
        self._reads_since = self._now()
        try:
            yield
        finally:
            self._reads_since = 0.0

    def is_busy(self) -> bool:
        """Return whether the sender is served right now, and not waited for."""
        since = self._reads_since
        return not since or self._now() - since < PATIENCE_SECONDS


class Turns:
    """Gives ``most`` turns at a time in the order of those who ask, and one more for each second.

    That is what the first in line has waited: large uploads do not keep a small one waiting for
    as long as they take.
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
        mine = Turn(self._lock, self._now)
        with self._lock:
            self._line.append(mine)
            while self._line[0] is not mine or not self._has_room(mine):
                # Nobody says when a sender falls silent: the first in line has to look.
                mine.called.wait(PATIENCE_SECONDS if self._line[0] is mine else None)
            self._line.popleft()
            self._taken.add(mine)
            self._call_first()
        try:
            yield mine
        finally:
            with self._lock:
                self._taken.discard(mine)
                self._call_first()

    def _has_room(self, first: Turn) -> bool:
        busy = sum(one.is_busy() for one in self._taken)
        return busy < self._most + int(first.waited_seconds)

    def _call_first(self) -> None:
        if self._line:
            self._line[0].called.notify()
