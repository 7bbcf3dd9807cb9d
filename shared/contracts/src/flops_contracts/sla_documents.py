"""Reading the two SLAs from JSON: ``read_project_sla`` and ``read_mock_sla``."""

import json
import re
from typing import Any, TypeVar

from marshmallow import ValidationError

from flops_contracts.declared import load
from flops_contracts.errors import FlopsError
from flops_contracts.sla import MockSla, ProjectSla
from flops_contracts.sla_rules import broken_rules

S = TypeVar("S", ProjectSla, MockSla)


class InvalidSlaError(FlopsError):
    """An SLA that cannot be accepted; ``problems`` maps each path to what is wrong there."""

    def __init__(self, problems: dict[str, list[str]]) -> None:
        lines = ((path, " ".join(texts).rstrip(".")) for path, texts in problems.items())
        listed = "; ".join(f"{path}: {text}" for path, text in lines)
        super().__init__(f"The SLA is invalid. {listed}.")
        self.problems = problems


def _paths(messages: Any, prefix: str = "") -> dict[str, list[str]]:
    """Flatten marshmallow's nested messages to ``{"a.b[0]": [...]}``."""
    if isinstance(messages, list):
        return {prefix or "(document)": [str(message) for message in messages]}
    flat: dict[str, list[str]] = {}
    for key, inner in messages.items():
        step = f"[{key}]" if isinstance(key, int) else ("" if key == "_schema" else f".{key}")
        flat.update(_paths(inner, (prefix + step).removeprefix(".")))
    return flat


def _whole(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise ValueError("a whole number has more than 64 bits")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


def _document(text: str | bytes) -> Any:
    """Return the JSON in ``text`` if a database and an environment variable can hold it."""
    document = json.loads(text, parse_int=_whole, parse_constant=_no_constant)
    plain = json.dumps(document, ensure_ascii=False)
    plain.encode()  # half of a surrogate pair raises a ValueError
    if r"\u0000" in plain:
        raise ValueError("a text holds the character NUL")
    return document


def _parse(text: str | bytes) -> Any:
    try:
        return _document(text)
    except RecursionError as error:
        raise InvalidSlaError({"(document)": ["Nested too deeply."]}) from error
    except ValueError as error:
        decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
        problem = f"Not valid JSON: {error}."
        if any(line.split("//")[0].strip().startswith("%") for line in decoded.splitlines()) or (
            re.search(r"[,{\[\]}\"0-9a-z]\s*%", decoded)
        ):
            problem += " JSON knows no comments: remove everything from each '%' to its line's end."
        raise InvalidSlaError({"(document)": [problem]}) from error


def _read(kind: type[S], document: Any) -> S:
    if isinstance(document, str | bytes):
        document = _parse(document)
    try:
        return load(kind, document)
    except ValidationError as error:
        raise InvalidSlaError(_paths(error.messages)) from error


def read_project_sla(document: Any) -> ProjectSla:
    """Return the SLA in ``document`` (JSON text or parsed); raise ``InvalidSlaError``."""
    sla = _read(ProjectSla, document)
    if problems := broken_rules(sla):
        raise InvalidSlaError(problems)
    return sla


def read_mock_sla(document: Any) -> MockSla:
    """Return the mock SLA in ``document`` (JSON text or parsed); raise ``InvalidSlaError``."""
    return _read(MockSla, document)
