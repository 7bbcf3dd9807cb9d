"""Checks that the data of all nodes fit one model: columns of the same kinds and meanings."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from flops_contracts.api.answers import TagStats
from flops_manager.domain.errors import NotPlaceableError

_SAME: Final = (
    # A dictionary is a way to store values, not another kind of value.
    (re.compile(r"dictionary<values=(.*?), indices=\w+, ordered=\d>"), r"\1"),
    (re.compile(r"\blarge_"), ""),
    (re.compile(r"\b(string|binary)_view\b"), r"\1"),
    (re.compile(r"\bu?int(8|16|32|64)\b"), "whole number"),
    (re.compile(r"\b(halffloat|float|double)\b"), "number"),
    (re.compile(r"\bfixed_size_list<(.*)>\[\d+\]"), r"list<\1>"),
    (re.compile(r"\b(element|item): "), "item: "),
)
"""Types that user code sees as the same: widths of numbers, ways to store texts and lists."""


@dataclass(frozen=True)
class Held:
    """The data that a node holds under a tag."""

    node: str
    tag: str
    stats: TagStats


def require_alike(held: Iterable[Held]) -> None:
    """Raise ``NotPlaceableError`` unless all that learners would train on has the same columns."""
    compared = [data for data in held if data.stats.rows]
    for data in compared:
        if not data.stats.is_uniform:
            unlike = data.stats.difference
            reason = f"do not fit together: {unlike}" if unlike else "have different columns"
            raise NotPlaceableError(
                f"The fragments tagged '{data.tag}' on {data.node} {reason}.",
                hint="Drop those that are wrong ('flops data list'), or give them another tag.",
            )
    # Data servers of 2024 do not report columns.
    described = [data for data in compared if data.stats.columns]
    for other in described[1:]:
        if difference := _difference(described[0], other):
            raise NotPlaceableError(
                f"The data do not fit together: {difference}.",
                hint="List tags whose data agree, or push data of another shape under another tag.",
            )


def _difference(first: Held, other: Held) -> str:
    """Return the first difference in words, or nothing."""
    kinds, others = kinds_of(first.stats.columns), kinds_of(other.stats.columns)
    for name in (*kinds, *others):
        if name not in others or name not in kinds:
            has, has_not = (first, other) if name in kinds else (other, first)
            return f"'{name}' is a column of {_where(has)}, but not of {_where(has_not)}"
    for name, kind in kinds.items():
        if kind != others[name]:
            types = first.stats.columns[name], other.stats.columns[name]
            return f"'{name}' is {types[0]} in {_where(first)}, but {types[1]} in {_where(other)}"
    return ""


def kinds_of(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the columns hold, whatever the width of numbers or the way to store texts."""
    return {name: _kind(kind) for name, kind in columns.items()}


def _kind(column: str) -> str:
    """Return the kind of a column; its meaning, in brackets behind the type, stays as it is."""
    kind, bracket, meaning = column.partition(" (")
    for pattern, plain in _SAME:
        kind = pattern.sub(plain, kind)
    return f"{kind}{bracket}{meaning}"


def _where(held: Held) -> str:
    return f"'{held.tag}' on {held.node}"
