"""The Pythons on this machine: found on PATH, and accepted only if they run."""

import os
import sys
from pathlib import Path
from typing import Final

from flops_image_builder.adapters.commands import (
    CommandMissingError,
    Commands,
    CommandTimeoutError,
)
from flops_image_builder.domain.errors import PythonMissingError
from flops_image_builder.domain.pythons import SUPPORTED_MINORS, Interpreter

PROBE_SECONDS: Final = 15.0
# A launcher such as pyenv's may be on PATH for versions that are not active, and the executable of
# a virtual environment cannot be the base of another.
_PROBE: Final = (
    "import platform, sys; "
    "print(platform.python_version(), getattr(sys, '_base_executable', '') or sys.executable)"
)


class PathInterpreters:
    """``Interpreters`` on PATH; ``configured`` is a path or a version such as 3.12."""

    def __init__(self, commands: Commands, configured: str = "") -> None:
        self._commands = commands
        self._configured = configured

    @property
    def own_minor(self) -> int:
        """See the port."""
        return sys.version_info.minor

    def find(self, minor: int) -> Interpreter | None:
        """See the port."""
        candidates = [
            str(Path(folder) / f"python3.{minor}")
            for folder in self._commands.path.split(os.pathsep)
        ]
        if minor == self.own_minor:
            candidates.append(sys.executable)
        for candidate in dict.fromkeys(candidates):
            python = self._probe(candidate) if Path(candidate).is_file() else None
            if python and python.minor == f"3.{minor}":
                return python
        return None

    def configured(self) -> Interpreter | None:
        """See the port."""
        if not self._configured:
            return None
        if self._configured.startswith("3.") and "/" not in self._configured:
            python = self.find(int(self._configured.split(".")[1]))
        else:
            python = self._probe(self._configured)
        if not python or int(python.minor.split(".")[1]) not in SUPPORTED_MINORS:
            raise PythonMissingError(
                f"FLOPS_PYTHON is '{self._configured}', which is not a Python 3.11 to 3.13 here",
                hint="Set it to a version such as 3.12, or to the path of an interpreter.",
            )
        return python

    def _probe(self, executable: str) -> Interpreter | None:
        try:
            answer = self._commands.run([executable, "-I", "-c", _PROBE], PROBE_SECONDS)
        except (CommandMissingError, CommandTimeoutError, PermissionError):
            return None
        version, _, path = answer.output.strip().partition(" ")
        return Interpreter(version, path) if answer.is_success and path else None
