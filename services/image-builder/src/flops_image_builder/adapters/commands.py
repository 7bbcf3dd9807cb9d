"""Runs outside programs: argv lists, a deadline for each, and nobody left behind."""

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
    """What a program left: exit code and texts."""

    code: int
    output: str
    errors: str

    @property
    def is_success(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0


class CommandTimeoutError(Exception):
    """The program did not end in time and was killed."""


class CommandMissingError(Exception):
    """There is no such program."""


class Commands:
    """Runs programs in the builder's environment, without FLOps' own settings and secrets."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        kept = {key: value for key, value in variables.items() if not key.startswith("FLOPS_")}
        # Environments are read by many processes: compiled modules are worth keeping in them.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        self._variables = {k: v for k, v in kept.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        return self._variables.get("PATH", os.defpath)

    def run(
        self,
        argv: Sequence[str],
        timeout_seconds: float,
        *,
        folder: Path | None = None,
        extra: Mapping[str, str] | None = None,
        told: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run ``argv`` to its end; raises ``CommandTimeoutError`` or ``CommandMissingError``.

        ``told`` hears each line while the program runs, in threads of its own. The whole process
        group is killed when it takes too long or this process is asked to end.
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
            output, errors = _texts(process, timeout_seconds, told)
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
    process: subprocess.Popen[str], timeout_seconds: float, told: Callable[[str], None] | None
) -> tuple[str, str]:
    if told is None:
        return process.communicate(timeout=timeout_seconds)
    texts: tuple[list[str], list[str]] = [], []
    streams = (process.stdout, process.stderr)
    readers = [
        threading.Thread(target=_read, args=(stream, lines, told), daemon=True)
        for stream, lines in zip(streams, texts, strict=True)
        if stream
    ]
    for reader in readers:
        reader.start()
    process.wait(timeout_seconds)
    # A grandchild may hold the streams open for ever.
    for reader in readers:
        reader.join(timeout=5)
    return "".join(texts[0]), "".join(texts[1])


def _read(stream: IO[str], lines: list[str], told: Callable[[str], None]) -> None:
    for line in stream:
        lines.append(line)
        told(line.rstrip())


def last_lines(text: str, count: int = 12) -> str:
    """Return the end of a program's output, for a message."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])
