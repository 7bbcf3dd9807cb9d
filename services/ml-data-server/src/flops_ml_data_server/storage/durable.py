"""Make files appear whole or not at all, also when the power goes."""

import os
import threading
from collections.abc import Callable
from pathlib import Path


def publish(temporary: Path, target: Path) -> None:
    """Give a finished file its name: contents to disk, then the name, then the folder."""
    sync(temporary)
    rename(temporary, target)


def rename(synced: Path, target: Path) -> None:
    """Give a file whose contents are on disk its name, for good."""
    synced.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on disk."""
    _sync(folder, os.O_RDONLY)


class GroupSync:
    """One ``sync`` for all threads that wait for it: it takes as long for many as for one.

    Whoever calls returns after a sync that began later than its call (group commit: DeWitt et al.
    1984, "Implementation techniques for main memory database systems"). One that fails fails for
    all who waited for it: the system tells of such an error once, and the next would succeed.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._begun = 0
        self._done = 0
        self._failed = 0
        self._error: OSError | None = None

    def __call__(self) -> None:
        """Return when all that was written before this call is on disk; raises ``OSError``."""
        with self._lock:
            needed = self._begun + 1
        with self._turn:
            if self._done < needed:
                self._sync_once()
            if self._error and self._failed >= needed:
                raise self._error

    def _sync_once(self) -> None:
        with self._lock:
            self._begun += 1
            mine = self._begun
        try:
            self._sync()
        except OSError as error:
            self._failed, self._error = mine, error
        self._done = mine


def sync(path: Path) -> None:
    """Return when the contents of a file are on disk."""
    _sync(path, os.O_RDWR)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
