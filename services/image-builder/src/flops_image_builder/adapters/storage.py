"""What to say when the disk does not take what a build writes."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from flops_image_builder.domain.errors import ImageStoreError


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn an ``OSError`` into an ``ImageStoreError`` with the way out."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        hint = "Free space there." if full else "Check the folder and its permissions."
        raise ImageStoreError(f"the image store cannot be written: {error}", hint=hint) from error
