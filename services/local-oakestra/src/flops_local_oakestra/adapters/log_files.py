"""The folder with the logs of instances: the current and the previous run of each."""

import os
import threading
from pathlib import Path

from flops_local_oakestra.ports.runtime import CannotStartError


class LogFiles:
    """Names the files, and deletes the oldest beyond ``limit``."""

    def __init__(self, folder: Path, limit: int = 200) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()

    def fresh(self, name: str) -> Path:
        """Return the file for a new log; the previous run's is renamed."""
        log = self._folder / f"{name}.log"
        try:
            with self._lock:
                self._folder.mkdir(parents=True, exist_ok=True)
                if log.exists():
                    log.replace(log.with_suffix(".log.previous"))
                self._prune()
        except OSError as error:
            raise CannotStartError(f"cannot log to {log}: {error}") from error
        return log

    def _prune(self) -> None:
        files = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) - self._limit)]:
            path.unlink(missing_ok=True)


def end_of(log: Path, size: int) -> bytes:
    """Return the last bytes of a log; none if it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
    except OSError:
        return b""
