"""The folder of all fragments; the only module that turns a name into a path."""

import fcntl
import logging
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_flight.errors import DataRejectedError, NoDataError
from flops_flight.names import FragmentName, fragment_name, parse_fragment_name
from flops_ml_data_server.storage import durable
from flops_ml_data_server.storage.fragments import (
    BATCH_BYTES,
    StoredFragment,
    content_digest,
    read_footer,
    read_rows,
)
from flops_ml_data_server.storage.uploads import Limits, PendingFragment, remove_leftovers
from flops_ml_data_server.transfers.memory import Memory

logger = logging.getLogger(__name__)

LOCK: Final = ".lock"

_Version = tuple[int, int]


class VolumeUnusableError(FlopsError):
    """The folder cannot be written, or another data server works in it."""

    exit_code = ExitCode.BAD_SETTINGS


class Volume:
    """Fragments by name. Call ``open`` before use; all methods are thread-safe."""

    def __init__(
        self,
        folder: Path,
        codec: str = "zstd",
        limits: Limits | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.folder = folder
        self._memory = memory or Memory()
        self._codec = codec
        self._limits = limits or Limits()
        self._pending: set[PendingFragment] = set()
        self._publishing = threading.Lock()
        self._sync = durable.GroupSync(lambda: durable.sync_folder(folder))
        self._footers: dict[str, tuple[_Version, StoredFragment | None]] = {}
        self._lock = -1

    def open(self) -> None:
        """Lock the folder for this process and clean up; raise ``VolumeUnusableError``."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VolumeUnusableError(f"another data server uses {self.folder}") from error
        except OSError as error:
            raise VolumeUnusableError(f"cannot use {self.folder}: {error}") from error
        removed = remove_leftovers(self.folder)
        if removed:
            logger.warning("removed %d unfinished uploads of an earlier run", removed)

    def close(self) -> None:
        """Unlock the folder; safe to call twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def free_bytes(self) -> int:
        """The free space for more fragments."""
        free = shutil.disk_usage(self.folder).free
        return max(0, free - self._limits.min_free_bytes)

    def fragments(self, tags: tuple[str, ...] | None = None) -> tuple[StoredFragment, ...]:
        """Return the complete fragments with one of ``tags`` (None: all), sorted by name."""
        files = (self._look(entry.name) for entry in os.scandir(self.folder))
        fragments = [file for file in files if file and (tags is None or file.name.tag in tags)]
        return tuple(sorted(fragments, key=lambda fragment: str(fragment.name)))

    def find(self, name: str) -> StoredFragment:
        """Return a fragment; raise ``NoDataError``, ``DataRejectedError`` for a bad name."""
        parse_fragment_name(name)
        fragment = self._look(name)
        if fragment is None:
            raise NoDataError(f"there is no fragment {name}")
        return fragment

    def read(
        self, fragment: StoredFragment, offset: int = 0, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Return the requested rows, as ``read_rows`` does; reading them counts as a transfer."""
        batch_bytes = min(BATCH_BYTES, self._memory.share_bytes)
        return self._transferred(read_rows(fragment, offset, rows, batch_bytes))

    def _transferred(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with self._memory.transfer():
            yield from batches

    @contextmanager
    def begin(self, schema: pa.Schema, quota_bytes: int = 0) -> Iterator[PendingFragment]:
        """Begin an upload; unless it is published, it is removed at the end of the context.

        The quota is that of its tag, for all fragments together.
        """
        upload = PendingFragment(
            self.folder, schema, self._codec, self._limits, self._memory, quota_bytes
        )
        with self._memory.transfer(), upload as pending:
            self._pending.add(pending)
            try:
                yield pending
            finally:
                self._pending.discard(pending)

    def clean_up(self) -> None:
        """Expire uploads whose sender is silent, and return unused memory to the system."""
        for pending in tuple(self._pending):
            pending.expire()
        self._memory.give_back()

    def publish(self, pending: PendingFragment, name: FragmentName) -> StoredFragment:
        """Make a finished upload visible; of equal content, the first copy stays.

        A name without a digest gets that of the content. Raises ``DataRejectedError`` if other
        content has the name.
        """
        target = self.folder / fragment_name(name.tag, name.digest or pending.digest)
        with self._publishing:
            existing = self._look(target.name)
            if existing is None:
                if os.path.lexists(target):
                    raise DataRejectedError(f"{target.name} exists and is not a fragment")
                pending.check_quota(lambda: self._bytes_of(name.tag))
                size = pending.path.stat().st_size
                pending.path.replace(target)
        # One sync for many uploads; the first copy may be so recent that it is not synced yet.
        self._sync()
        if existing is None:
            return StoredFragment(
                parse_fragment_name(target.name),
                target,
                pending.rows,
                size,
                pending.schema,
                pending.digest,
            )
        if content_digest(existing) != pending.digest:
            raise DataRejectedError(
                f"{target.name} exists with other data",
                hint="The digest in the name must be that of the content.",
            )
        return existing

    def drop(self, name: str) -> None:
        """Remove a fragment; raise like ``find``. Downloads under way are completed."""
        fragment = self.find(name)
        try:
            fragment.path.unlink()
        except FileNotFoundError as error:
            raise NoDataError(f"there is no fragment {name}") from error
        self._sync()
        self._footers.pop(name, None)

    def _bytes_of(self, tag: str) -> int:
        return sum(fragment.bytes for fragment in self.fragments((tag,)))

    def _look(self, name: str) -> StoredFragment | None:
        """Return the fragment of a valid, regular file; its footer is read once."""
        try:
            parsed = parse_fragment_name(name)
            path = self.folder / name
            status = path.lstat()
        except (DataRejectedError, OSError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        version = (status.st_mtime_ns, status.st_size)
        cached = self._footers.get(name)
        if cached is None or cached[0] != version:
            cached = (version, _footer(parsed, path))
            self._footers[name] = cached
        return cached[1]


def _footer(name: FragmentName, path: Path) -> StoredFragment | None:
    try:
        return read_footer(name, path)
    except (pa.ArrowException, OSError) as error:
        logger.warning("%s is not listed: it is not a readable Parquet file: %s", name, error)
        return None
