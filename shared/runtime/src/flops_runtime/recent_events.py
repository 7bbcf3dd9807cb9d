"""An actor's last events, to be repeated to a manager that may have missed them."""

import threading
from collections import deque
from typing import Final

KEPT_BYTES: Final = 2_000_000
"""A thousand rounds of a few learners, or the last one of ten thousand."""


class RecentEvents:
    """Encoded events in the order they were told: the newest, and before it what fits."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._left = kept_bytes
        self._events: deque[bytes] = deque()
        self._lock = threading.Lock()

    def keep(self, data: bytes) -> None:
        """Keep an event, and forget the oldest that no longer fit."""
        with self._lock:
            self._events.append(data)
            self._left -= len(data)
            while self._left < 0 and len(self._events) > 1:
                self._left += len(self._events.popleft())

    def all(self) -> tuple[bytes, ...]:
        """Return what is kept, oldest first."""
        with self._lock:
            return tuple(self._events)
