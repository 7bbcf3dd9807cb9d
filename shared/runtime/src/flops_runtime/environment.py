"""Settings and orders as environment variables: read once, typed, all wrong ones named together.

Classes declare their variables with ``flops_contracts.declared``; fields that are such classes
are groups of variables. ``docs/settings.md`` is generated from the same declarations.
"""

import dataclasses
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from enum import EnumType
from pathlib import Path
from typing import Any, Final, TypeVar

from marshmallow import ValidationError

from flops_contracts.declared import About, about_of, dump, load, without_none
from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode

T = TypeVar("T")
REQUIRED: Final = object()
"""The default of a setting that has none."""

_ON: Final = frozenset({"on", "true", "yes", "1"})
_NOTHING: Final[Mapping[str, Any]] = {}
_OFF: Final = frozenset({"off", "false", "no", "0"})


class BadSettingsError(FlopsError):
    """Settings are missing or wrong; the message names every one of them."""

    exit_code = ExitCode.BAD_SETTINGS


def read(cls: type[T], variables: Mapping[str, str], **given: Any) -> T:
    """Return the settings in ``variables``; raise ``BadSettingsError`` that names all wrong ones.

    ``NAME_FILE`` may name a file that holds the value of any ``NAME``, as container secrets do.
    A group that may be None is None unless its first variable is set. ``given`` are values that
    no variable has. If all is well, the classes' own ``problems()`` are asked, where they exist.
    """
    reader = _Reader(variables)
    value: T = reader.group(cls, given)
    if not reader.problems:
        reader.problems += _problems(value)
    if reader.problems:
        raise BadSettingsError("; ".join(reader.problems), hint="Set these in the environment.")
    return value


def write(value: Any) -> dict[str, str]:
    """Return the variables that ``read`` makes ``value`` of.

    Empty values are left out, and switches that are as by default. Numbers and words are written
    even so: an actor of another version may have other defaults.
    """
    variables: dict[str, str] = {}
    for declaration, _ in _fields(type(value)):
        inner = getattr(value, declaration.name)
        facts = about_of(declaration)
        if facts.env:
            is_usual = isinstance(inner, bool) and inner == _default(declaration)
            if not is_usual and not _is_empty(inner):
                variables[facts.env] = _text(inner, facts)
        elif dataclasses.is_dataclass(inner):
            variables.update(write(inner))
    return variables


@dataclass(frozen=True)
class Setting:
    """One variable, as the documentation lists it."""

    name: str
    kind: str
    default: str | object
    help: str


def documented(cls: type[Any], *, is_optional: bool = False) -> Iterator[Setting]:
    """Yield the variables of a class of settings, in the order of its fields."""
    for declaration, hint in _fields(cls):
        facts = about_of(declaration)
        plain = without_none(hint)
        if facts.env:
            default = _default(declaration)
            if default is MISSING:
                text: Any = REQUIRED if hint is plain and not is_optional else ""
            else:
                text = "" if default is None else _text(default, facts)
            yield Setting(facts.env, _kind(plain, facts), text, facts.help)
            is_optional = False
        elif dataclasses.is_dataclass(plain) and declaration.name not in facts.given:
            yield from documented(typing.cast("type", plain), is_optional=plain is not hint)


def _fields(cls: type[Any]) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(cls)
    return [(declaration, hints[declaration.name]) for declaration in dataclasses.fields(cls)]


def _default(declaration: dataclasses.Field[Any]) -> Any:
    if declaration.default_factory is not MISSING:
        return declaration.default_factory()
    return declaration.default


def _is_empty(value: Any) -> bool:
    if dataclasses.is_dataclass(value):
        return all(inner is None for inner in vars(value).values())
    return value is None or value in ("", ())


def variable_of(cls: type[Any], name: str) -> str:
    """Return the variable of a field."""
    return next(about_of(field).env for field in dataclasses.fields(cls) if field.name == name)


def _problems(value: Any) -> list[str]:
    """Return what the classes themselves object to, from the inside outwards."""
    problems: list[str] = []
    for declaration in dataclasses.fields(value):
        inner = getattr(value, declaration.name)
        if dataclasses.is_dataclass(inner):
            problems += _problems(inner)
    own: Callable[[], Iterator[str]] | None = getattr(value, "problems", None)
    return [*problems, *(own() if own else ())]


class _Reader:
    """Reads groups of variables and collects what is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[str] = []

    def group(
        self, cls: type[Any], given: Mapping[str, Any], outer: Mapping[str, Any] = _NOTHING
    ) -> Any:
        """Return an instance of ``cls``, or None after a problem."""
        values = dict(given)
        for name, value in given.items():
            if callable(value):
                values[name] = value(outer)
        for declaration, hint in _fields(cls):
            facts = about_of(declaration)
            plain = without_none(hint)
            if declaration.name in values:
                continue
            if facts.env:
                values[declaration.name] = self._value(
                    declaration, plain, is_optional=plain is not hint
                )
            elif dataclasses.is_dataclass(plain):
                is_there = plain is hint or self._is_set(typing.cast("type", plain))
                values[declaration.name] = (
                    self.group(typing.cast("type", plain), facts.given, values)
                    if is_there
                    else None
                )
        return None if self.problems else cls(**values)

    def _is_set(self, cls: type[Any]) -> bool:
        first = next(documented(cls)).name
        return bool(self._raw(first))

    def _value(self, declaration: dataclasses.Field[Any], hint: Any, *, is_optional: bool) -> Any:
        facts = about_of(declaration)
        text = self._raw(facts.env)
        if text:
            try:
                return _parsed(text, hint, facts)
            except ValueError as error:
                self.problems.append(f"{facts.env} {error}")
                return None
        default = _default(declaration)
        if default is MISSING and not is_optional:
            self.problems.append(f"{facts.env} is missing")
        return None if default is MISSING else default

    def _raw(self, name: str) -> str:
        value = self._variables.get(name, "")
        file = self._variables.get(f"{name}_FILE", "")
        if not value and file:
            try:
                value = Path(file).read_text(encoding="utf-8").strip()
            except OSError as error:
                self.problems.append(f"{name}_FILE cannot be read: {error}")
        return value


def _parsed(text: str, hint: Any, facts: About) -> Any:
    """Return the value of a variable; raise ``ValueError`` with what follows its name."""
    if choices := _choices(hint, facts):
        if text not in choices:
            raise ValueError(f"is '{text}', but must be one of {', '.join(choices)}")
        return (facts.parse or hint)(text)
    if facts.parse:
        return facts.parse(text)
    if typing.get_origin(hint) is tuple:
        (item, _) = typing.get_args(hint)
        words = (word.strip() for word in text.split(","))
        return tuple(_parsed(word, item, About()) for word in words if word)
    if hint in _PARSERS:
        return _PARSERS[hint](text, facts)
    return hint(text) if hint in {str, Path} else _from_json(text, hint)


def _from_json(text: str, hint: Any) -> Any:
    try:
        document = json.loads(text)
        return load(typing.cast("type", hint), document) if _is_declared(hint) else document
    except ValidationError as error:
        raise ValueError(f"is wrong: {error.messages}") from error
    except ValueError as error:
        raise ValueError(f"is not valid JSON: {error}") from error


def _is_declared(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint)


def _whole(text: str, facts: About) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ValueError(f"is '{text}', but must be a whole number") from None
    low = 0 if facts.minimum is None else facts.minimum
    high = 2**53 if facts.maximum is None else facts.maximum
    if not low <= number <= high:
        raise ValueError(f"is {number}, but must lie in {low}..{high}")
    return number * facts.scale


def _seconds(text: str, _facts: About) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise ValueError(f"is '{text}', but must be a positive number of seconds")
    return number


def _flag(text: str, _facts: About) -> bool:
    if text.lower() not in _ON | _OFF:
        raise ValueError(f"is '{text}', but must be on or off")
    return text.lower() in _ON


_PARSERS: Final[dict[Any, Callable[[str, About], Any]]] = {
    int: _whole,
    float: _seconds,
    bool: _flag,
}
_KINDS: Final = {
    int: "whole number",
    float: "seconds",
    bool: "on or off",
    str: "text",
    Path: "path",
}


def _choices(hint: Any, facts: About) -> tuple[str, ...]:
    return tuple(hint) if isinstance(hint, EnumType) else facts.choices


def _kind(hint: Any, facts: About) -> str:
    if choices := _choices(hint, facts):
        return " or ".join(choices)
    if typing.get_origin(hint) is tuple:
        return "list with commas"
    return _KINDS.get(hint, "text" if facts.parse else "JSON")


def _text(value: Any, facts: About) -> str:
    """Return a value as a variable holds it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, int):
        return str(value // facts.scale)
    if isinstance(value, str | Path) or facts.choices:
        return str(value)
    document = dump(value) if dataclasses.is_dataclass(value) else value
    return json.dumps(document, sort_keys=True)
