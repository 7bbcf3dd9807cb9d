"""Divides fragments into shares for the learners of a node, without input or output."""

from collections.abc import Sequence
from itertools import pairwise

from flops_contracts.events import Fragment
from flops_flight.errors import NoDataError
from flops_flight.messages import Part, Share


def divide(fragments: Sequence[Fragment], learners: int) -> tuple[Share, ...]:
    """Return a share for each learner: disjoint, not empty, and together all rows.

    Shares are whole fragments where there are enough, because each came from one device; else
    ranges of rows. The same fragments always give the same shares. Raises ``NoDataError``.
    """
    filled = sorted((fragment for fragment in fragments if fragment.rows), key=lambda f: f.name)
    rows = sum(fragment.rows for fragment in filled)
    if rows < learners:
        raise NoDataError(
            f"{rows} rows cannot be shared by {learners} learners",
            hint="Start fewer learners, or provide more data on this node.",
        )
    if len(filled) >= learners:
        return _whole_fragments(filled, learners)
    return _row_ranges(filled, rows, learners)


def _whole_fragments(fragments: Sequence[Fragment], learners: int) -> tuple[Share, ...]:
    """Assign fragments, largest first, each to the learner with the fewest rows so far."""
    loads = [0] * learners
    parts: list[list[Part]] = [[] for _ in range(learners)]
    for fragment in sorted(fragments, key=lambda f: (-f.rows, f.name)):
        lightest = loads.index(min(loads))
        loads[lightest] += fragment.rows
        parts[lightest].append(Part(fragment.name, 0, fragment.rows))
    return tuple(Share(tuple(own)) for own in parts)


def _row_ranges(fragments: Sequence[Fragment], rows: int, learners: int) -> tuple[Share, ...]:
    cuts = [learner * rows // learners for learner in range(learners + 1)]
    return tuple(Share(_range(fragments, start, end)) for start, end in pairwise(cuts))


def _range(fragments: Sequence[Fragment], start: int, end: int) -> tuple[Part, ...]:
    """Return the rows ``start`` to ``end`` of all fragments laid end to end."""
    parts: list[Part] = []
    row = 0
    for fragment in fragments:
        first, last = max(start - row, 0), min(end - row, fragment.rows)
        if first < last:
            parts.append(Part(fragment.name, first, last - first))
        row += fragment.rows
    return tuple(parts)
