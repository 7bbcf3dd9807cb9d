"""The rounds that a project keeps: enough for curves and lanes, however long the training is.

A project is stored again with every message of its actors, so it must not grow with them. Its
history has every round in full, and so has MLflow.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from flops_contracts.events import RoundCompleted
from flops_manager.domain.projects import ClusterRound

T = TypeVar("T")

MOST_ROUNDS: Final = 500
"""How many rounds are kept, then evenly thinned out; the same for all clusters together."""

MOST_SHARES: Final = 2000
"""How many learners' shares of rounds are kept: those of the newest rounds that fit."""


def with_round(
    rounds: Sequence[RoundCompleted], done: RoundCompleted, *, replaces: bool = True
) -> tuple[RoundCompleted, ...]:
    """Return the rounds with ``done``, in order; a round of that number is replaced, or stays."""
    others = [record for record in rounds if record.round != done.round]
    if len(others) < len(rounds) and not replaces:
        return tuple(rounds)
    records = sorted([*others, done], key=lambda record: record.round)
    thinned = _thinned(records, lambda record: record)
    return tuple(_with_newest_shares(thinned, lambda record: record, lambda _, done: done))


def with_cluster_round(
    rounds: Sequence[ClusterRound], done: ClusterRound, *, replaces: bool = True
) -> tuple[ClusterRound, ...]:
    """Return the clusters' rounds with ``done``; a cycle is in order of clusters."""

    def key(record: ClusterRound) -> tuple[int, str, int]:
        return record.completed.cycle, record.cluster, record.completed.round

    others = [record for record in rounds if key(record) != key(done)]
    if len(others) < len(rounds) and not replaces:
        return tuple(rounds)
    thinned = _thinned(sorted([*others, done], key=key), lambda record: record.completed)
    return tuple(
        _with_newest_shares(
            thinned,
            lambda record: record.completed,
            lambda record, done: replace(record, completed=done),
        )
    )


def _thinned(rounds: list[T], completed: Callable[[T], RoundCompleted]) -> list[T]:
    """Return at most ``MOST_ROUNDS``: every 2nd, 4th, 8th ... by number, the ends, and the best."""

    def number(record: T) -> int:
        done = completed(record)
        return done.round if done.is_cycle else (done.cycle - 1) * done.rounds + done.round

    accuracies = [completed(record).accuracy for record in rounds]
    best = max(range(len(rounds)), key=lambda at: (accuracies[at] is not None, accuracies[at] or 0))
    always = {0, best, len(rounds) - 1}
    thinned, stride = rounds, 1
    while len(thinned) > MOST_ROUNDS:
        stride *= 2
        thinned = [
            record
            for at, record in enumerate(rounds)
            if number(record) % stride == 0 or at in always
        ]
    return thinned


def _with_newest_shares(
    rounds: list[T],
    completed: Callable[[T], RoundCompleted],
    changed: Callable[[T, RoundCompleted], T],
) -> list[T]:
    left = MOST_SHARES
    records: list[T] = []
    for record in reversed(rounds):
        done = completed(record)
        left -= len(done.learners)
        # The newest round keeps its shares: they show the dropouts.
        is_whole = left >= 0 or not records
        if not is_whole and done.learners:
            record = changed(record, replace(done, learners=()))  # noqa: PLW2901 - the same, smaller
        records.append(record)
    return records[::-1]
