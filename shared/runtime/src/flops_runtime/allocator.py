"""How the C library keeps memory that was freed."""

import ctypes
from typing import Final

# From glibc's ``malloc.h``.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8

LARGE_BYTES: Final = 4 * 1024 * 1024


def give_memory_back() -> None:
    """Return large blocks to the system when they are freed; call it before starting threads.

    By default there are eight arenas for each processor, and each keeps what was freed in it: a
    grid's threads would hold a model's worth of buffers that are done with, and touch new pages
    for every frame. Arrays of up to 32 MB would be kept, too. Where the C library is another one,
    nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, 4 * LARGE_BYTES)
