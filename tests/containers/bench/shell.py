"""Runs the programs that the bench is made of; each has a deadline and reports why it failed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TIMES: Final[dict[str, float]] = {}
"""How long the parts took, in seconds, for the table at the end."""


class BenchError(Exception):
    """The bench cannot be set up here, for the reason in the text."""


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"containers: {line}", file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print what is being done, and remember how long it takes."""
    say(what)
    began = time.monotonic()
    try:
        yield
    finally:
        TIMES[what] = time.monotonic() - began


def run(
    argv: Sequence[str | Path],
    *,
    seconds: float = 120,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    text: str | None = None,
) -> str:
    """Return the standard output of ``argv``; raise ``BenchError`` with its last lines."""
    words = [str(word) for word in argv]
    try:
        ended = subprocess.run(
            words,
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, **(env or {})},
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{' '.join(words[:3])} did not end within {seconds:g} s") from error
    if ended.returncode:
        last = "\n".join((ended.stdout + ended.stderr).splitlines()[-25:])
        raise BenchError(f"{' '.join(words[:4])} ended with {ended.returncode}:\n{last}")
    return ended.stdout


def succeeds(argv: Sequence[str | Path], *, seconds: float = 30, **more: Mapping[str, str]) -> bool:
    """Return whether ``argv`` can be run and ends with 0."""
    try:
        run(argv, seconds=seconds, **more)  # type: ignore[arg-type]
    except (BenchError, OSError):
        return False
    return True
