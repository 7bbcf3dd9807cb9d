"""Which rounds stay with a project: enough for curves and lanes, whatever the training's length.

The record of a project is written with every word of its actors, so it must not grow with them. Its
history has every round whole, and so has MLflow.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from flops_contracts.events import RoundCompleted
from flops_manager.domain.projects import ClusterRound

T = TypeVar("T")

MOST_ROUNDS: Final = 500
"""How many rounds are kept, evenly thinned out beyond that; likewise of all clusters together."""

MOST_SHARES: Final = 2000
"""How much of what each learner did in a round is kept: of the newest rounds that fit."""


def with_round(
    rounds: Sequence[RoundCompleted], done: RoundCompleted, *, replaces: bool = True
) -> tuple[RoundCompleted, ...]:
    """Return the rounds with ``done``, in order; one of that number is replaced, or stays."""
    others = [one for one in rounds if one.round != done.round]
    if len(others) < len(rounds) and not replaces:
        return tuple(rounds)
    kept = _thinned(sorted([*others, done], key=lambda one: one.round), lambda one: one)
    return tuple(_with_newest_shares(kept, lambda one: one, lambda _, done: done))


def with_cluster_round(
    rounds: Sequence[ClusterRound], done: ClusterRound, *, replaces: bool = True
) -> tuple[ClusterRound, ...]:
    """Return the clusters' rounds with ``done``, likewise; a cycle is in order of clusters."""

    def key(one: ClusterRound) -> tuple[int, str, int]:
        return one.completed.cycle, one.cluster, one.completed.round

    others = [one for one in rounds if key(one) != key(done)]
    if len(others) < len(rounds) and not replaces:
        return tuple(rounds)
    kept = _thinned(sorted([*others, done], key=key), lambda one: one.completed)
    return tuple(
        _with_newest_shares(
            kept, lambda one: one.completed, lambda one, done: replace(one, completed=done)
        )
    )


def _thinned(rounds: list[T], completed: Callable[[T], RoundCompleted]) -> list[T]:
    """Return at most ``MOST_ROUNDS``: every 2nd, 4th, 8th ... by number, the ends, and the best."""

    def number(one: T) -> int:
        done = completed(one)
        return done.round if done.is_cycle else (done.cycle - 1) * done.rounds + done.round

    accuracies = [completed(one).accuracy for one in rounds]
    best = max(range(len(rounds)), key=lambda at: (accuracies[at] is not None, accuracies[at] or 0))
    always = {0, best, len(rounds) - 1}
    kept, stride = rounds, 1
    while len(kept) > MOST_ROUNDS:
        stride *= 2
        kept = [one for at, one in enumerate(rounds) if number(one) % stride == 0 or at in always]
    return kept


def _with_newest_shares(
    rounds: list[T],
    completed: Callable[[T], RoundCompleted],
    changed: Callable[[T, RoundCompleted], T],
) -> list[T]:
    left = MOST_SHARES
    kept: list[T] = []
    for one in reversed(rounds):
        done = completed(one)
        left -= len(done.learners)
        # The newest round is kept whole: it says who dropped out of it.
        is_whole = left >= 0 or not kept
        kept.append(one if is_whole or not done.learners else changed(one, _without_shares(done)))
    return kept[::-1]


def _without_shares(done: RoundCompleted) -> RoundCompleted:
    return replace(done, learners=())
