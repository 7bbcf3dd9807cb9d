"""Downloaded rows in memory or, beyond a limit, in an unnamed file.

The file disappears with the process, however that ends; its rows are mapped, not read.
"""

import tempfile
from pathlib import Path
from typing import IO, Final

import pyarrow as pa

MEMORY_PART: Final = 2
"""Data may fill half of the free memory; the other half is for the work on them."""
_CGROUP: Final = Path("/sys/fs/cgroup")


class Landing:
    """Collects batches of one schema into a table, without copying them."""

    def __init__(self, schema: pa.Schema, memory_bytes: int = 0) -> None:
        self._schema = schema
        self._limit = memory_bytes or available_bytes() // MEMORY_PART
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def append(self, batch: pa.RecordBatch) -> None:
        """Add a batch."""
        if self._writer is not None:
            self._writer.write_batch(batch)
            return
        self._held.append(batch)
        self._bytes += batch.nbytes
        if self._bytes > self._limit:
            self._spill()

    def table(self) -> pa.Table:
        """Return all rows."""
        if self._writer is None or self._file is None:
            return pa.Table.from_batches(self._held, self._schema)
        self._writer.close()
        with self._file as file:
            file.flush()
            # The mapping outlives the descriptor, and keeps the unnamed file.
            mapped = pa.memory_map(f"/proc/self/fd/{file.fileno()}")
        with pa.ipc.open_stream(mapped) as stream:
            return stream.read_all()

    def _spill(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - ``table`` closes it
        self._writer = pa.ipc.new_stream(self._file, self._schema)
        held, self._held = self._held, []
        while held:
            self._writer.write_batch(held.pop(0))


def available_bytes() -> int:
    """Return the free memory of the machine, or of the container if that is less."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            machine = int(line.split()[1]) * 1024
            break
    else:
        machine = 2**62
    try:
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        return min(machine, max(0, int(limit) - used))
    except (OSError, ValueError):  # no limit, or no cgroup of version 2
        return machine
