"""Memory for large arrays that is backed by files, so that unused arrays need not stay in memory.

The files have no names and end with the process, or with the last array in them. The kernel keeps
the used pages; ``let_go`` drops pages that are not used for a while.
"""

import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Final

from flwr.app import Array, ArrayRecord

ALIGNMENT: Final = 64
"""Arrays begin at multiples of this many bytes, for fast vector instructions."""

PIECE_BYTES: Final = 4 * 1024 * 1024


class FileMemory:
    """Provides zeros, from files of ``file_bytes`` or of a requested size if that is more."""

    def __init__(self, file_bytes: int) -> None:
        self._file_bytes = file_bytes
        self._free = memoryview(b"")
        self._files: list[mmap.mmap] = []

    def take(self, size: int) -> memoryview:
        """Return ``size`` bytes for the caller alone."""
        aligned = -(-size // ALIGNMENT) * ALIGNMENT
        if aligned > len(self._free):
            self._files.append(_mapped(max(aligned, self._file_bytes)))
            self._free = memoryview(self._files[-1])
        taken, self._free = self._free[:size], self._free[aligned:]
        return taken

    def let_go(self) -> None:
        """Drop it from this process's memory until it is used again."""
        for file in self._files:
            file.madvise(mmap.MADV_DONTNEED)


def _mapped(size: int) -> mmap.mmap:
    try:
        with tempfile.TemporaryFile() as file:
            # Allocated now: a disk that is full later would kill the process without a message.
            os.posix_fallocate(file.fileno(), 0, size)
            return mmap.mmap(file.fileno(), size)
    except OSError:
        return mmap.mmap(-1, size)


def memory_for(record: ArrayRecord) -> FileMemory:
    """Return a memory whose first file has room for arrays like these."""
    return FileMemory(sum(len(array.data) + ALIGNMENT for array in record.values()))


def array_in(place: memoryview, dtype: str, shape: tuple[int, ...], stype: str) -> Array:
    """Return the array with the serialised bytes in ``place``, which must not change any more."""
    array = Array(dtype, shape, stype, b"")
    # Flower's type is bytes, but it reads any buffer.
    array.data = place  # type: ignore[assignment]
    return array


def moved_to_files(record: ArrayRecord) -> ArrayRecord:
    """Move the arrays of ``record`` to files; return them, and leave ``record`` empty."""
    memory, moved = memory_for(record), ArrayRecord()
    for key, array in list(record.items()):
        if _file_of(array):
            moved[key] = array
            continue
        place = memory.take(len(array.data))
        place[:] = array.data
        moved[key] = array_in(place, array.dtype, tuple(array.shape), array.stype)
    record.clear()
    return moved


def let_go(record: ArrayRecord) -> None:
    """Drop arrays in files from this process's memory until they are used again."""
    files = {id(file): file for array in record.values() if (file := _file_of(array))}
    for file in files.values():
        file.madvise(mmap.MADV_DONTNEED)


def pieces_of(array: Array) -> Iterator[memoryview]:
    """Give the serialised bytes in pieces; of an array in a file, one piece is in memory."""
    data, file = memoryview(array.data), _file_of(array)
    for begin in range(0, len(data), PIECE_BYTES):
        yield data[begin : begin + PIECE_BYTES]
        if file:
            file.madvise(mmap.MADV_DONTNEED)


def _file_of(array: Array) -> mmap.mmap | None:
    data: object = array.data
    return data.obj if isinstance(data, memoryview) and isinstance(data.obj, mmap.mmap) else None
