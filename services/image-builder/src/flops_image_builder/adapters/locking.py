"""One builder at a time for one thing, across processes; a lock dies with its process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from flops_image_builder.domain.errors import ImageStoreError


@contextmanager
def exclusive(file: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold the lock of ``file``; raise ``ImageStoreError`` if another does for too long."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        retrying = Retrying(
            stop=stop_after_delay(timeout_seconds),
            wait=wait_fixed(0.1),
            retry=retry_if_exception_type(BlockingIOError),
            reraise=True,
        )
        try:
            retrying(fcntl.flock, handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ImageStoreError(
                f"another build has held {file.name} for {timeout_seconds:g} seconds",
                hint="End the build that hangs, then retry.",
            ) from error
        yield
