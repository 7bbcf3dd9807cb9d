"""Runs work that must not delay a round, in order, in one thread."""

import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, Timer
from typing import Final, TypeVar

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 1.0

T = TypeVar("T")


class Background:
    """The thread ends with the process, or after ``close``.

    It shares the interpreter with the rounds, and its work may take longer than a short round:
    hence ``soon`` runs work of the same name at most once every ``pause_seconds``.
    """

    def __init__(self, name: str, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._pause_seconds = pause_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = Lock()
        self._waiting: set[str] = set()
        self._timers: dict[str, Timer] = {}
        self._ended: dict[str, float] = {}
        self._is_closed = False

    def submit(self, act: Callable[[], T]) -> Future[T]:
        """Run ``act`` after all work that was submitted before."""
        return self._thread.submit(act)

    def soon(self, name: str, act: Callable[[], None]) -> None:
        """Schedule ``act``; calls made before it starts are merged. Failures are logged."""
        with self._lock:
            if name in self._waiting or self._is_closed:
                return
            self._waiting.add(name)
            left = self._ended.get(name, -math.inf) + self._pause_seconds - time.monotonic()
            if left <= 0:
                self._thread.submit(self._work, name, act)
                return
            self._timers[name] = timer = Timer(left, self._begin, (name, act))
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """Start no more work; the current work ends by itself."""
        with self._lock:
            self._is_closed = True
            for timer in self._timers.values():
                timer.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self, name: str, act: Callable[[], None]) -> None:
        with self._lock:
            if not self._is_closed:
                self._thread.submit(self._work, name, act)

    def _work(self, name: str, act: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.discard(name)
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the training goes on without it
            logger.warning("%s: %s: %s", name, type(error).__name__, error)
        with self._lock:
            self._ended[name] = time.monotonic()
