"""Work that must not hold up a round: done in order by one thread."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Background:
    """The thread ends with the process; ``close`` lets it do no more."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = Lock()
        self._waiting: set[str] = set()

    def submit(self, act: Callable[[], T]) -> Future[T]:
        """Do it after all that was asked before."""
        return self._thread.submit(act)

    def soon(self, name: str, act: Callable[[], None]) -> None:
        """Do it, but only once when it is asked for again before it began; failures are logged."""
        with self._lock:
            if name in self._waiting:
                return
            self._waiting.add(name)

        def work() -> None:
            with self._lock:
                self._waiting.discard(name)
            try:
                act()
            except Exception as error:  # noqa: BLE001 - the training goes on without it
                logger.warning("%s: %s: %s", name, type(error).__name__, error)

        self._thread.submit(work)

    def close(self) -> None:
        """Begin nothing any more; what is being done ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)
