"""The output of a test's processes, for the report of a test that fails.

Tests have processes print to files called ``*.log`` in their temporary folders, or in the one that
all processes of the run share. Whatever has changed since the test's file began is shown.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from support.shared import run_folder

SHOWN_LINES: Final = 60
SHOWN_FILES: Final = 40
# Environments and images are large, and no process prints there.
_SKIPPED: Final = {"envs", "images", "site-packages", ".git", "node_modules"}
_numbers: Final = itertools.count(1)


def new_log(name: str) -> Path:
    """Return a file for what a process prints that has no folder which outlives it."""
    folder = run_folder() / "logs"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}-{os.getpid()}-{next(_numbers)}.log"


def printed_since(moment: float, folders: Iterable[Path]) -> list[tuple[str, str]]:
    """Return a title and the last lines of each log that has changed since then."""
    logs = {log.resolve() for folder in folders for log in _logs_in(folder)}
    changed = sorted(
        (log for log in logs if log.stat().st_mtime >= moment and log.stat().st_size),
        key=lambda log: log.stat().st_mtime,
    )
    return [(f"{log}, its last lines", _last_lines(log)) for log in changed[-SHOWN_FILES:]]


def _logs_in(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in files:
            if name.endswith(".log") or name == "log" or ".log." in name:
                yield Path(parent, name)


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(lines[-SHOWN_LINES:])
