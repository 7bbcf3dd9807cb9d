"""Locks across processes; a lock ends with its process, however that ends."""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

POLL_SECONDS: Final = 0.1


def _ignore() -> None:
    pass


@contextmanager
def exclusive(
    file: Path,
    timeout_seconds: float,
    timeout_error: Exception,
    on_wait: Callable[[], None] = _ignore,
) -> Iterator[None]:
    """Hold the lock of ``file``; call ``on_wait`` once if another process holds it.

    Raises ``timeout_error`` if the other process holds it for longer than ``timeout_seconds``.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        if not _try_lock(handle):
            on_wait()
            end = time.monotonic() + timeout_seconds
            while not _try_lock(handle):
                if time.monotonic() > end:
                    raise timeout_error
                threading.Event().wait(POLL_SECONDS)
        yield


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
