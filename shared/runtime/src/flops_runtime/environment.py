"""Read settings from the environment, once, typed, and name all wrong ones together.

Each service has a ``settings.py`` with a frozen dataclass and a ``from_env``; ``docs/settings.md``
is generated from what those functions ask for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode

REQUIRED: Final = object()
"""The default of a setting that has none."""


class BadSettingsError(FlopsError):
    """Settings are missing or wrong; the message names every one of them."""

    exit_code = ExitCode.BAD_SETTINGS


@dataclass(frozen=True)
class Setting:
    """One setting that was asked for, as the documentation lists it."""

    name: str
    kind: str
    default: Any
    help: str


class Environment:
    """A reader over the variables of a process.

    Every method returns a value of its type even when the variable is wrong, and remembers the
    problem; ``check`` then raises all of them at once. ``NAME_FILE`` may name a file that holds
    the value of any ``NAME``, as container secrets do.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []
        self.asked: list[Setting] = []

    def text(
        self, name: str, default: Any = REQUIRED, *, help: str, choices: tuple[str, ...] = ()
    ) -> str:
        """Return the variable as it is; with ``choices``, only one of these is right."""
        value = self._raw(name, "text" if not choices else " or ".join(choices), default, help)
        if value is None:
            return "" if default is REQUIRED else str(default)
        if choices and value not in choices:
            self._problems.append(f"{name} is '{value}', but must be one of {', '.join(choices)}")
        return value

    def whole(
        self,
        name: str,
        default: Any = REQUIRED,
        *,
        help: str,
        minimum: int = 0,
        maximum: int = 2**53,
    ) -> int:
        """Return a whole number between ``minimum`` and ``maximum``."""
        value = self._raw(name, "whole number", default, help)
        if value is None:
            return minimum if default is REQUIRED else int(default)
        try:
            number = int(value)
        except ValueError:
            self._problems.append(f"{name} is '{value}', but must be a whole number")
            return minimum
        if not minimum <= number <= maximum:
            self._problems.append(f"{name} is {number}, but must lie in {minimum}..{maximum}")
        return number

    def seconds(self, name: str, default: float, *, help: str) -> float:
        """Return a positive number of seconds."""
        value = self._raw(name, "seconds", default, help)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 < number < float("inf"):
            self._problems.append(f"{name} is '{value}', but must be a positive number of seconds")
        return number

    def flag(self, name: str, default: bool, *, help: str) -> bool:
        """Return a switch: on, true, yes, 1 or off, false, no, 0."""
        value = self._raw(name, "on or off", "on" if default else "off", help)
        if value is None:
            return default
        if value.lower() not in {"on", "true", "yes", "1", "off", "false", "no", "0"}:
            self._problems.append(f"{name} is '{value}', but must be on or off")
        return value.lower() in {"on", "true", "yes", "1"}

    def items(self, name: str, default: Any = REQUIRED, *, help: str) -> tuple[str, ...]:
        """Return a list written with commas; empty items are dropped."""
        value = self._raw(name, "list with commas", default, help)
        if value is None:
            return () if default is REQUIRED else tuple(default)
        return tuple(item.strip() for item in value.split(",") if item.strip())

    def document(self, name: str, default: Any = REQUIRED, *, help: str) -> Any:
        """Return a value written as JSON."""
        value = self._raw(name, "JSON", default, help)
        if value is None:
            return {} if default is REQUIRED else default
        try:
            return json.loads(value)
        except ValueError as error:
            self._problems.append(f"{name} is no valid JSON: {error}")
            return {}

    def path(self, name: str, default: Any = REQUIRED, *, help: str) -> Path:
        """Return a path; whether it exists is not asked here."""
        value = self._raw(name, "path", default, help)
        return Path(value if value is not None else ("" if default is REQUIRED else default))

    def refuse(self, problem: str) -> None:
        """Remember a problem that only who reads the setting can see."""
        self._problems.append(problem)

    def check(self) -> None:
        """Raise ``BadSettingsError`` with every problem met so far."""
        if self._problems:
            raise BadSettingsError("; ".join(self._problems), hint="Set these in the environment.")

    def _raw(self, name: str, kind: str, default: Any, help: str) -> str | None:
        self.asked.append(Setting(name, kind, default, help))
        value = self._variables.get(name, "")
        file = self._variables.get(f"{name}_FILE", "")
        if not value and file:
            try:
                value = Path(file).read_text(encoding="utf-8").strip()
            except OSError as error:
                self._problems.append(f"{name}_FILE cannot be read: {error}")
        if value:
            return value
        if default is REQUIRED:
            self._problems.append(f"{name} is missing")
        return None
