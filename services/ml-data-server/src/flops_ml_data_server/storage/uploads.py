"""A fragment during its upload: batches in, row groups out, under a hidden name."""

import errno
import logging
import math
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from flops_contracts.declared import declared
from flops_flight.columns import unloadable
from flops_flight.errors import DataRejectedError
from flops_ml_data_server.storage import durable
from flops_ml_data_server.storage.digest import ContentDigest
from flops_ml_data_server.storage.layout import ROW_GROUP_BYTES, ROW_GROUP_ROWS, writer_options
from flops_ml_data_server.transfers.memory import SMALLEST_SHARE, Memory
from flops_ml_data_server.transfers.turns import Turn

logger = logging.getLogger(__name__)

PREFIX: Final = ".upload-"
DIGEST_KEY: Final = b"flops_xxh3"
MAX_HELD_BATCHES: Final = 1024
_LOCAL: Final = LocalFileSystem()


@dataclass(frozen=True)
class Limits:
    """The limits of an upload; 0 means no limit. ``min_free_bytes`` stay free on the disk."""

    max_upload_bytes: int = declared(
        0, "Largest upload in MB; 0: as large as the disk.", "FLOPS_MAX_UPLOAD_MB", scale=10**6
    )
    min_free_bytes: int = declared(
        100 * 10**6, "Space in MB that stays free on the disk.", "FLOPS_MIN_FREE_MB", scale=10**6
    )
    idle_seconds: float = declared(
        300.0, "How long an upload may send nothing.", "FLOPS_UPLOAD_IDLE_SECONDS"
    )
    upload_seconds: float = declared(
        6 * 3600.0, "How long an upload may take.", "FLOPS_UPLOAD_SECONDS"
    )


class PendingFragment:
    """A file that is not visible yet; unless published, it is removed at the end of the context."""

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        codec: str,
        limits: Limits,
        memory: Memory,
        quota_bytes: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = folder / f"{PREFIX}{uuid.uuid4().hex}"
        self.rows = 0
        self.digest = ""
        self.schema = schema
        self._codec = codec
        self._limits = limits
        self._memory = memory
        self._quota_bytes = quota_bytes
        self._now = now
        self._began = self._last_received = now()
        self._lock = threading.Lock()
        self._expired = ""
        self._content = ContentDigest(schema)
        self._held: list[pa.RecordBatch] = []
        self._held_rows = 0
        self._held_bytes = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        _check_columns(self.schema)
        with self._refusals():
            options = writer_options(self.schema, self._codec)
            self._writer = pq.ParquetWriter(
                str(self.path), self.schema, filesystem=_LOCAL, **options
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._discard()

    @contextmanager
    def receiving(self) -> Iterator[Turn]:
        """Wait for a turn, during which batches are received; the wait cannot expire."""
        self._last_received = math.inf
        with self._memory.turn() as turn:
            self._began = self._last_received = self._now()
            yield turn

    def append(self, batch: pa.RecordBatch) -> None:
        """Add a batch; raise ``DataRejectedError`` for a damaged one, and beyond a limit."""
        _check_buffers(batch)
        with self._lock:
            self._check_time()
            self._last_received = self._now()
            self._held.append(batch)
            self._held_rows += batch.num_rows
            self._held_bytes += batch.nbytes
            self.rows += batch.num_rows
            is_roomy = self._memory.hold(batch.nbytes)
            enough = ROW_GROUP_BYTES if is_roomy else SMALLEST_SHARE
            if self._held_bytes >= enough or self._held_rows >= ROW_GROUP_ROWS:
                self._flush()
            elif len(self._held) >= MAX_HELD_BATCHES:
                self._join()

    def finish(self) -> None:
        """Write the rest and sync it to disk; from then on, ``digest`` is that of the content."""
        with self._lock:
            self._check_time()
            # All in one turn: sharing the processor with other threads would cost more.
            with self._memory.encoding():
                self._write_held()
                self._close()
            with self._refusals():
                durable.sync(self.path)
            self._last_received = math.inf

    def _close(self) -> None:
        self.digest = self._content.hexdigest()
        if self._writer is not None:
            with self._refusals():
                self._writer.add_key_value_metadata({DIGEST_KEY: self.digest.encode()})
                self._writer.close()
                self._check_limits(0)

    def check_quota(self, beside_bytes: Callable[[], int]) -> None:
        """Raise ``DataRejectedError`` if the tag would exceed its quota."""
        if self._quota_bytes:
            self._check_quota(beside_bytes() + self.path.stat().st_size)

    def _check_quota(self, total_bytes: int) -> None:
        if self._quota_bytes and total_bytes > self._quota_bytes:
            raise DataRejectedError(
                f"the data tag may have at most {self._quota_bytes / 1e6:g} MB on this node",
                hint="Drop some of its data, or let the operator of the node raise the quota.",
            )

    def expire(self) -> bool:
        """Discard the upload of a silent or slow sender; return whether that was done.

        The call itself cannot be ended from here: Flight waits for the sender as long as the
        connection is open. It keeps a sleeping thread, but neither memory nor disk.
        """
        now = self._now()
        if now - self._last_received > self._limits.idle_seconds:
            reason = f"no data arrived for {self._limits.idle_seconds:g} s"
        elif self._last_received < math.inf and now - self._began > self._limits.upload_seconds:
            reason = f"it took longer than {self._limits.upload_seconds:g} s"
        else:
            return False
        with self._lock:
            if self._expired or self._last_received == math.inf:
                return False
            self._expired = reason
            self._discard()
        logger.warning("discarded an upload: %s", reason)
        return True

    def _check_time(self) -> None:
        if self._expired:
            raise DataRejectedError(
                f"the data server discarded this upload: {self._expired}",
                hint="Retry; FLOPS_UPLOAD_IDLE_SECONDS and FLOPS_UPLOAD_SECONDS are the limits.",
            )

    def _join(self) -> None:
        """Join many tiny batches, because their overhead would outweigh their data."""
        joined = pa.Table.from_batches(self._held).combine_chunks().to_batches()
        after = sum(batch.nbytes for batch in joined)
        self._memory.hold(after)
        self._memory.release(self._held_bytes)
        self._held, self._held_bytes = joined, after

    def _flush(self) -> None:
        with self._memory.encoding():
            self._write_held()

    def _write_held(self) -> None:
        if not self._held or self._writer is None:
            return
        self._check_limits(self._held_bytes)
        group = pa.Table.from_batches(self._held, self.schema)
        with self._refusals():
            for batch in group.to_batches():
                self._content.update(batch)
            self._writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
        self._forget()

    def _forget(self) -> None:
        self._memory.release(self._held_bytes)
        self._held, self._held_rows, self._held_bytes = [], 0, 0

    def _check_limits(self, coming_bytes: int) -> None:
        limits = self._limits
        written = self.path.stat().st_size + coming_bytes
        if limits.max_upload_bytes and written > limits.max_upload_bytes:
            raise DataRejectedError(
                f"the upload is larger than the limit of {limits.max_upload_bytes / 1e6:.0f} MB",
                hint="Send it in several fragments, or raise FLOPS_MAX_UPLOAD_MB.",
            )
        self._check_quota(written - coming_bytes)
        if shutil.disk_usage(self.path.parent).free - coming_bytes < limits.min_free_bytes:
            raise _disk_full()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Translate errors of Parquet and of the disk."""
        try:
            yield
        except pa.ArrowException as error:
            raise DataRejectedError(f"Parquet cannot store these data: {error}") from error
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise _disk_full() from error
            raise DataRejectedError(f"cannot write to the volume: {error}") from error

    def _discard(self) -> None:
        self._forget()
        if self._writer is not None and self._writer.is_open:
            with suppress(pa.ArrowException, OSError):
                self._writer.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


def remove_leftovers(folder: Path) -> int:
    """Remove the unfinished uploads of a crashed process; return their number."""
    leftovers = [path for path in folder.iterdir() if path.name.startswith(PREFIX)]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def _check_buffers(batch: pa.RecordBatch) -> None:
    """Validate every offset and index: Arrow itself would follow them out of its buffers."""
    try:
        batch.validate(full=True)
    except pa.ArrowException as error:
        raise DataRejectedError(f"a batch is damaged: {error}") from error


def _check_columns(schema: pa.Schema) -> None:
    if not schema.names:
        raise DataRejectedError("the data have no columns")
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        raise DataRejectedError(f"columns have the same name: {', '.join(repeated)[:500]}")
    for field in unloadable(schema):
        raise DataRejectedError(
            f"the column '{field.name}' has the type {str(field.type)[:200]}, which learners "
            "cannot load",
            hint="Send lists of numbers for tensors, text for UUIDs, a column for each key of a "
            "map, and bytes of any length instead of a fixed one.",
        )


def _disk_full() -> DataRejectedError:
    return DataRejectedError(
        "the disk of the data server is full",
        hint="Drop fragments that are no longer needed, or lower FLOPS_MIN_FREE_MB.",
    )
