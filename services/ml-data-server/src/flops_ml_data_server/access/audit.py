"""The audit log of uploads, reads and drops: lines of JSON, only ever appended.

A file holds a month, so that old ones can be moved away while the server runs.
"""

import json
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from flops_ml_data_server.access.callers import Caller
from flops_ml_data_server.storage import durable
from flops_ml_data_server.storage.durable import GroupSync

FOLDER: Final = ".audit"
PUT: Final = "put"
READ: Final = "read"
CLAIMED: Final = "claimed"
DROPPED: Final = "dropped"
EXPIRED: Final = "expired"
RULED: Final = "ruled"
REFUSED: Final = "refused"
MAX_ENTRIES: Final = 10_000


def _utc() -> datetime:
    return datetime.now(UTC)


class Audit:
    """The audit log of a volume."""

    def __init__(self, volume: Path, now: Callable[[], datetime] = _utc) -> None:
        self._folder = volume / FOLDER
        self._now = now
        self._lock = threading.Lock()
        self._syncs: dict[Path, GroupSync] = {}

    def add(self, action: str, caller: Caller, what: str, **facts: Any) -> None:
        """Record that ``caller`` does ``action`` to ``what``; raises ``OSError``.

        An action that cannot be recorded must not happen, so this comes before a drop or a read.
        """
        at = self._now()
        identity = {
            "who": caller.name,
            "project": caller.project_id,
            "customer": caller.customer_id,
        }
        known_identity = {name: value for name, value in identity.items() if value}
        entry = {"at": at.isoformat(), "action": action, "what": what, "from": caller.peer}
        line = json.dumps({**entry, **known_identity, **facts}).encode() + b"\n"
        path = self._folder / f"{at:%Y-%m}.jsonl"
        with self._lock:
            self._folder.mkdir(exist_ok=True)
            # One write in append mode: lines stay whole.
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
            sync = self._sync_of(path)
        if action != READ:
            sync()

    def _sync_of(self, path: Path) -> GroupSync:
        if path not in self._syncs:
            self._syncs = {path: GroupSync(lambda: durable.sync(path))}
        return self._syncs[path]

    def entries(self, tag: str = "", limit: int = 100) -> list[dict[str, Any]]:
        """Return the last entries, newest first; if ``tag`` is given, only those about it."""
        entries: list[dict[str, Any]] = []
        for entry in self._backwards():
            if not tag or _is_about(entry, tag):
                entries.append(entry)
            if len(entries) >= min(limit, MAX_ENTRIES):
                break
        return entries

    def _backwards(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._folder.glob("*.jsonl"), reverse=True):
            for line in _lines_backwards(path):
                try:
                    yield json.loads(line)
                except ValueError:  # a power failure interrupted the write
                    continue


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield lines from the last to the first, without reading a large file completely."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        end = len(mapped)
        while end > 0:
            start = mapped.rfind(b"\n", 0, end - 1) + 1
            yield mapped[start:end]
            end = start


def _is_about(entry: dict[str, Any], tag: str) -> bool:
    what = str(entry.get("what", ""))
    return tag in {what, what.removesuffix(".parquet").rpartition(".")[0]}
