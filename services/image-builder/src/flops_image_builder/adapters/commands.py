"""Runs external programs with a deadline; no process of theirs outlives the call."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Finished:
    """The exit code and the output of a program."""

    code: int
    output: str
    errors: str

    @property
    def is_success(self) -> bool:
        """Return whether the exit code is 0."""
        return self.code == 0


class CommandTimeoutError(Exception):
    """The program did not end in time and was killed."""


class CommandMissingError(Exception):
    """There is no such program."""


class Commands:
    """Runs programs in the builder's environment, without FLOps' own settings and secrets."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        # Environments are read by many processes, so compiled modules are worth keeping.
        dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV"}
        self._variables = {
            key: value
            for key, value in variables.items()
            if not key.startswith("FLOPS_") and key not in dropped
        }

    @property
    def path(self) -> str:
        """The search path for programs."""
        return self._variables.get("PATH", os.defpath)

    def run(
        self,
        argv: Sequence[str],
        timeout_seconds: float,
        *,
        folder: Path | None = None,
        extra: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run ``argv`` to its end; raises ``CommandTimeoutError`` or ``CommandMissingError``.

        ``on_line`` is called with each line of output while the program runs, in other threads. The
        whole process group is killed at the deadline, or when this process is terminated.
        """
        try:
            process = subprocess.Popen(
                argv,
                cwd=folder,
                env={**self._variables, **(extra or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise CommandMissingError(argv[0]) from error
        try:
            output, errors = _texts(process, timeout_seconds, on_line)
        except subprocess.TimeoutExpired as error:
            raise CommandTimeoutError(
                f"{argv[0]} did not end within {timeout_seconds:g} seconds"
            ) from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Finished(process.returncode, output, errors)


def _texts(
    process: subprocess.Popen[str], timeout_seconds: float, on_line: Callable[[str], None] | None
) -> tuple[str, str]:
    if on_line is None:
        return process.communicate(timeout=timeout_seconds)
    texts: tuple[list[str], list[str]] = [], []
    streams = (process.stdout, process.stderr)
    readers = [
        threading.Thread(target=_read, args=(stream, lines, on_line), daemon=True)
        for stream, lines in zip(streams, texts, strict=True)
        if stream
    ]
    for reader in readers:
        reader.start()
    process.wait(timeout_seconds)
    # A grandchild may keep the streams open forever.
    for reader in readers:
        reader.join(timeout=5)
    return "".join(texts[0]), "".join(texts[1])


def _read(stream: IO[str], lines: list[str], on_line: Callable[[str], None]) -> None:
    for line in stream:
        lines.append(line)
        on_line(line.rstrip())


def last_lines(text: str, count: int = 12) -> str:
    """Return the end of a program's output, for a message."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])
