"""Durable writes: after a power failure, a file is complete or absent."""

import os
import threading
from collections.abc import Callable
from pathlib import Path


def publish(temporary: Path, target: Path) -> None:
    """Sync a finished file, rename it to ``target``, and sync the folder."""
    sync(temporary)
    rename(temporary, target)


def rename(synced: Path, target: Path) -> None:
    """Rename a synced file durably."""
    synced.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to disk."""
    _sync(folder, os.O_RDONLY)


class GroupSync:
    """One ``sync`` for all threads that wait for it: it takes as long for many as for one.

    A call returns after a sync that began later than the call (group commit: DeWitt et al. 1984,
    "Implementation techniques for main memory database systems"). A failure is raised in all
    waiting calls: the system reports such an error only once, and the next sync would succeed.
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
        """Sync everything that was written before this call; raises ``OSError``."""
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
    """Write the contents of a file to disk."""
    _sync(path, os.O_RDWR)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
