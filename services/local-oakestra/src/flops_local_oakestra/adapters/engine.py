"""The command line of docker or podman; every call has a timeout, every failure a reason."""

import re
import subprocess
from collections.abc import Mapping
from typing import Final

CALL_SECONDS: Final = 60.0
_NOISE: Final = ("Run 'docker", "See 'docker", "Usage:")
_ABSENT: Final = re.compile(
    r"no such (container|network|object)|network (\S+ )?not found|unable to find network",
    re.IGNORECASE,
)
_PREFIXES: Final = ("docker: ", "Error response from daemon: ", "Error: ")


class EngineError(Exception):
    """A call failed; the message is the engine's."""


class EngineTimeoutError(EngineError):
    """A call did not end in time."""


class Engine:
    """Calls ``program`` with its settings (DOCKER_HOST and the like) in ``environment``."""

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self.program = program
        self._environment = environment

    def call(
        self,
        *words: str,
        timeout_seconds: float = CALL_SECONDS,
        inherited: Mapping[str, str] | None = None,
    ) -> str:
        """Return the engine's output; raise ``EngineError``.

        ``inherited`` variables join the environment of the call, for ``--env NAME``.
        """
        ended = self._run(words, timeout_seconds, subprocess.PIPE, inherited or {})
        if ended.returncode:
            raise EngineError(reason(ended.stderr.decode(errors="replace")) or f"{words[0]} failed")
        return ended.stdout.decode(errors="replace").strip()

    def output(self, *words: str, timeout_seconds: float = CALL_SECONDS) -> bytes:
        """Return the engine's standard output and error in order, whatever its exit code."""
        return self._run(words, timeout_seconds, subprocess.STDOUT, {}).stdout

    def _run(
        self,
        words: tuple[str, ...],
        timeout_seconds: float,
        errors: int,
        inherited: Mapping[str, str],
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                [self.program, *words],
                env={**self._environment, **inherited},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            call = f"{self.program} {words[0]}"
            raise EngineTimeoutError(f"{call} did not end within {timeout_seconds:g} s") from error
        except (OSError, ValueError) as error:
            raise EngineError(f"cannot run {self.program}: {error}") from error


def reason(text: str) -> str:
    """Return the last informative line of an engine's error output."""
    lines = [line.strip() for line in text.splitlines()]
    informative = [line for line in lines if line and not line.startswith(_NOISE)]
    line = informative[-1] if informative else ""
    for prefix in _PREFIXES:
        line = line.removeprefix(prefix)
    return line


def is_absent(error: EngineError) -> bool:
    """Return whether the error says that the object does not exist."""
    return _ABSENT.search(str(error)) is not None
