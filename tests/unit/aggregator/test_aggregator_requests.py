"""Asking learners again, leaving learners out, and the notices about it."""

from dataclasses import dataclass

import pytest

from flops_aggregator.errors import TooFewLearnersError
from flops_aggregator.replies.requests import Requests
from flops_contracts.exit_codes import ExitCode
from flops_grid.errors import LearnerError, UserCodeError
from flops_grid.messages.flower_internals import take_identity
from support.counting import Changes
from support.federation import Learner, MemoryGrid, a_training, run

ERROR = LearnerError("fit_model raised", "UserCodeError", exit_code=ExitCode.USER_CODE_FAILED)


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


@dataclass
class Clumsy(Learner):
    """Fails the first ``failures`` times."""

    failures: int = 1

    def answer(self, message):
        self.error = ERROR if len(self.seen) < self.failures else None
        return super().answer(message)


def test_who_is_needed_is_asked_again_in_the_same_round():
    clumsy = Clumsy(failures=2)

    _, _, watch = run({"a": Learner(), "b": clumsy}, min_fit=2)

    assert [row.error for row in watch.completed[0].learners] == ["", ""]
    assert len(clumsy.seen) == 4


def test_replies_are_counted_by_how_they_ended():
    changes = Changes()

    run({"a": Learner(), "b": Clumsy(failures=2)}, min_fit=2)

    counted = "flops_aggregator_replies_total"
    assert changes.of(counted, outcome="failed") == 2
    assert changes.of(counted, outcome="good") == 4


def test_who_is_not_needed_is_asked_again_in_the_next_round():
    clumsy = Clumsy(failures=2)

    _, _, watch = run({"a": Learner(), "b": clumsy}, rounds=2)

    assert [bool(completed.learners[1].error) for completed in watch.completed] == [True, False]


def test_who_fails_three_times_in_a_row_is_left_out_and_named():
    broken = Learner(error=ERROR)

    _, _, watch = run({"a": Learner(), "b": broken}, rounds=4)

    assert len(broken.seen) == 3
    assert watch.notices[0] == "round 1 goes on without some to train. b: fit_model raised"
    assert [len(completed.learners) for completed in watch.completed] == [2, 2, 1, 1]


def test_a_failure_that_costs_the_minimum_ends_with_its_cause_after_three_attempts():
    broken = Learner(error=ERROR)

    with pytest.raises(UserCodeError, match="fit_model raised"):
        run({"a": Learner(), "b": broken}, min_fit=2)

    assert len(broken.seen) == 3


def test_below_the_minima_the_reason_for_waiting_is_reported():
    notices: list[str] = []
    training = a_training(clients=2, return_timeout_seconds=60.0)

    present = Requests(training, MemoryGrid({"a": Learner()}), notices.append).wait_for_enough(
        2, "it"
    )

    assert len(present) == 1
    assert notices == ["it needs 2 learners, 1 can: waiting up to 60 s"]


def test_too_few_in_the_end_fail_with_who_was_there():
    with pytest.raises(TooFewLearnersError, match=r"after 0\.01 s only 1 were there: a"):
        run({"a": Learner()}, clients=2, min_fit=2)


def test_the_first_answers_are_enough():
    clients = {"a": Learner(), "b": Learner(), "c": Learner()}

    _, _, watch = run(clients, take_first=2)

    assert watch.completed[0].metrics["learners"] == 2
    rows = watch.completed[0].learners
    assert [(row.error, row.is_surplus) for row in rows] == [("", False), ("", False), ("", True)]
    assert watch.notices == []


def test_a_failure_among_the_first_answers_is_reported_though_others_were_enough():
    clients = {"a": Learner(error=ERROR), "b": Learner(), "c": Learner(), "d": Learner()}

    _, _, watch = run(clients, take_first=2)

    rows = watch.completed[0].learners
    assert [(row.error, row.is_surplus) for row in rows] == [
        ("fit_model raised", False),
        ("", False),
        ("", False),
        ("", True),
    ]
    assert watch.notices[0] == "round 1 goes on without some to train. a: fit_model raised"


def test_below_the_first_that_would_be_enough_nobody_is_surplus():
    clients = {"a": Learner(), "b": Learner(error=ERROR), "c": Learner(is_silent=True)}

    _, _, watch = run(clients, take_first=2)

    rows = watch.completed[0].learners
    assert not any(row.is_surplus for row in rows)
    assert [bool(row.error) for row in rows] == [False, True, True]
