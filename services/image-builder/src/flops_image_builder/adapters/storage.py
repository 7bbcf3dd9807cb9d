"""The folder of the image store: locks between builds, and errors of the disk."""

import errno
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from flops_image_builder.domain.errors import ImageStoreError
from flops_runtime.file_locks import exclusive


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn an ``OSError`` into an ``ImageStoreError`` with a hint."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        hint = "Free space there." if full else "Check the folder and its permissions."
        raise ImageStoreError(f"the image store cannot be written: {error}", hint=hint) from error


def only_build(lock: Path, timeout_seconds: float) -> AbstractContextManager[None]:
    """Hold ``lock``; raise ``ImageStoreError`` if another build holds it for too long."""
    error = ImageStoreError(
        f"another build has held {lock.name} for {timeout_seconds:g} seconds",
        hint="End the build that hangs, then retry.",
    )
    return exclusive(lock, timeout_seconds, error)
