"""Make files appear whole or not at all, also when the power goes."""

import os
from pathlib import Path


def publish(temporary: Path, target: Path) -> None:
    """Give a finished file its name: contents to disk, then the name, then the folder."""
    sync(temporary)
    rename(temporary, target)


def rename(synced: Path, target: Path) -> None:
    """Give a file whose contents are on disk its name, for good."""
    synced.replace(target)
    _sync(target.parent, os.O_RDONLY)


def sync(path: Path) -> None:
    """Return when the contents of a file are on disk."""
    _sync(path, os.O_RDWR)


def remove(path: Path) -> None:
    """Remove a file for good; raises ``FileNotFoundError``."""
    path.unlink()
    _sync(path.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
