"""The rounds that a project keeps of a long training are bounded, and still show its course."""

import json
from itertools import pairwise

import pytest

from flops_contracts.events import LearnerRound, RoundCompleted
from flops_manager.adapters.documents import document_from_record
from flops_manager.domain.projects import ClusterRound
from flops_manager.domain.round_records import (
    MOST_ROUNDS,
    MOST_SHARES,
    with_cluster_round,
    with_round,
)
from flops_manager.ports.stores import Record
from support.manager_core import a_project

LEARNERS = 64


def a_round(number, accuracy=0.5, learners=LEARNERS, rounds=10_000, cycle=1):
    shares = tuple(
        LearnerRound(f"lrn{item}x0123456789ab", 100, 1.5, 0.5) for item in range(learners)
    )
    return RoundCompleted(number, rounds, 0.1, accuracy, 2.5, cycle, {"train_loss": 0.2}, shares)


def size_of(rounds):
    record = Record(a_project("p1", rounds=tuple(rounds)))
    return len(json.dumps(document_from_record(record)))


@pytest.fixture(scope="module")
def course():
    """Return the rounds that are kept at some moments of 10,000 rounds with 64 learners."""
    rounds, seen = (), {}
    for number in range(1, 10_001):
        rounds = with_round(rounds, a_round(number, 0.9 if number == 4321 else 0.5))
        if number in {10, 100, 1000, 10_000}:
            seen[number] = rounds
    return seen


def test_the_record_has_a_bound(course):
    assert len(course[10]) == 10
    assert all(len(rounds) <= MOST_ROUNDS for rounds in course.values())
    sizes = [size_of(rounds) for rounds in course.values()]
    assert max(sizes) < 500_000
    assert size_of(course[10_000]) < 2 * size_of(course[100])


def test_the_ends_and_the_best_round_stay(course):
    numbers = [item.round for item in course[10_000]]

    assert (numbers[0], numbers[-1]) == (1, 10_000)
    assert 4321 in numbers
    assert numbers == sorted(set(numbers))


def test_curves_stay_even(course):
    numbers = [item.round for item in course[10_000]]
    gaps = [after - before for before, after in pairwise(numbers)]

    assert max(gaps) <= 10_000 / MOST_ROUNDS * 4


def test_what_learners_did_stays_of_the_newest_rounds(course):
    detailed = [item for item in course[10_000] if item.learners]

    assert sum(len(item.learners) for item in detailed) <= MOST_SHARES
    assert detailed == list(course[10_000][-len(detailed) :])


def test_of_the_newest_round_all_learners_stay_however_many():
    rounds = with_round((a_round(1, learners=10),), a_round(2, learners=MOST_SHARES + 1))

    assert [len(round_.learners) for round_ in rounds] == [0, MOST_SHARES + 1]


def test_a_round_that_is_reported_twice_is_stored_once():
    rounds = with_round((a_round(1), a_round(2)), a_round(1, accuracy=0.7))

    assert [(round_.round, round_.accuracy) for round_ in rounds] == [(1, 0.7), (2, 0.5)]


def test_clusters_share_the_bound():
    rounds = ()
    for cycle in range(1, 201):
        for cluster in ("east", "west"):
            for number in (1, 2):
                done = a_round(number, learners=4, rounds=2, cycle=cycle)
                rounds = with_cluster_round(rounds, ClusterRound(cluster, done))

    assert len(rounds) <= MOST_ROUNDS
    assert {round_.cluster for round_ in rounds} == {"east", "west"}
    assert rounds[-1].completed.cycle == 200
