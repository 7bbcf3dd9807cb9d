"""A lock between processes; the system releases it when its process ends."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from flops_cli.errors import LocalSuiteError

POLL_SECONDS = 0.2


@contextmanager
def own_turn(file: Path, timeout_seconds: float, waits: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of ``file``; call ``waits`` once if another process holds it.

    Raises ``LocalSuiteError`` if it is not released within ``timeout_seconds``.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        if not _is_taken(handle):
            waits()
            _take(handle, file, timeout_seconds)
        yield


def _is_taken(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take(handle: IO[str], file: Path, timeout_seconds: float) -> None:
    retrying = Retrying(
        stop=stop_after_delay(timeout_seconds),
        wait=wait_fixed(POLL_SECONDS),
        retry=retry_if_exception_type(BlockingIOError),
        reraise=True,
    )
    try:
        retrying(fcntl.flock, handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LocalSuiteError(
            f"another installation has held {file} for {timeout_seconds:g} s",
            hint="End the `make` or `flops` in this checkout that hangs, then try again.",
        ) from error
