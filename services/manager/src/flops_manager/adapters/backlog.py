"""Detects that messages arrive faster than they are processed, and so are processed late."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

BEHIND_SECONDS: Final = 5.0
"""With so much more work than idle time, the next message has been waiting."""

REST_WEIGHS: Final = 10.0
"""A second of idle time makes up for so many of work: a queue leaves hardly any idle time."""


class Backlog:
    """Watches the thread that processes messages; other threads read the result."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._owed = 0.0
        self._rests_since = clock()
        self._works_since: float | None = None
        self._behind_at: float | None = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Process one message inside this context."""
        self._works_since = began = self._clock()
        self._owed = max(0.0, self._owed - REST_WEIGHS * (began - self._rests_since))
        try:
            yield
        finally:
            self._rests_since = ended = self._clock()
            self._owed = min(self._owed + ended - began, 2 * BEHIND_SECONDS)
            if self._owed > BEHIND_SECONDS:
                self._behind_at = ended
            self._works_since = None

    def seconds_in_time(self) -> float:
        """Return for how long messages have been processed at once; infinite if always."""
        now, works_since = self._clock(), self._works_since
        if works_since is not None and self._owed + now - works_since > BEHIND_SECONDS:
            return 0.0
        return float("inf") if self._behind_at is None else now - self._behind_at
