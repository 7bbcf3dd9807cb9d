"""Rounds over learners that fail: what is averaged, what is reported, and when it ends."""

import gc
import math

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord

from flops_aggregator.errors import TooFewLearnersError
from flops_contracts.exit_codes import ExitCode
from flops_contracts.sla import Parametrised
from flops_contracts.strategies import STRATEGIES
from flops_grid.errors import LearnerError, UserCodeError
from flops_grid.messages.flower_internals import take_identity
from support.federation import Learner, run

USER_ERROR = LearnerError(
    "fit_model raised ValueError: no", "UserCodeError", "m.py:3", "", ExitCode.USER_CODE_FAILED
)


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


def test_the_average_is_weighted_by_samples():
    result, _, _ = run({"a": Learner(fit=1, samples=10), "b": Learner(fit=4, samples=30)})

    np.testing.assert_allclose(result[0], 3.25)


def test_parameters_keep_their_types_and_shapes():
    first = [
        np.zeros((2, 2), np.float32),
        np.array(3),
        np.array(2.5, np.float16),
        np.array([True, False]),
        np.zeros((0, 4)),
    ]

    result, _, _ = run({"a": Learner(fit=1), "b": Learner(fit=2)}, first)

    described = [(array.dtype, array.shape) for array in result]
    assert described == [(array.dtype, array.shape) for array in first]
    assert result[1] == 4


def test_a_learner_that_fails_costs_nothing_while_the_minima_are_met():
    result, _, watch = run({"a": Learner(fit=2), "b": Learner(error=USER_ERROR)})

    np.testing.assert_allclose(result[0], 2)
    rows = watch.completed[0].learners
    assert [(row.learner, row.error) for row in rows] == [
        ("a", ""),
        ("b", "fit_model raised ValueError: no (m.py:3)"),
    ]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Learner(fit=math.nan), "contains NaN or infinity"),
        (Learner(fit=ArrayRecord([np.zeros(4)])), "has the shape (4,), not (3,)"),
        (Learner(fit=ArrayRecord([np.zeros(3), np.zeros(3)])), "2 arrays after fit_model, not 1"),
        (Learner(fit=ArrayRecord([np.array(["a"] * 3)])), "not numeric"),
        (Learner(samples=0), "reports 0 samples"),
        (Learner(is_silent=True), "no reply within 5 s"),
    ],
)
def test_an_unusable_reply_is_left_out_and_reported(bad, said):
    result, _, watch = run({"a": Learner(fit=2), "b": bad})

    np.testing.assert_allclose(result[0], 2)
    assert said in watch.completed[0].learners[1].error


def test_a_user_error_everywhere_ends_the_training_with_its_place():
    with pytest.raises(UserCodeError, match="fit_model raised ValueError: no") as raised:
        run({"a": Learner(error=USER_ERROR), "b": Learner(error=USER_ERROR)})

    assert raised.value.where == "m.py:3"
    assert str(raised.value).count("ValueError") == 1


def test_silence_below_the_minimum_ends_the_training_with_who_was_silent():
    with pytest.raises(TooFewLearnersError, match=r"1 of at least 2 .* b: no reply within 5 s"):
        run({"a": Learner(), "b": Learner(is_silent=True)}, min_fit=2)


def test_a_users_mistake_is_reported_before_anybodys_silence():
    with pytest.raises(UserCodeError):
        run({"a": Learner(error=USER_ERROR), "b": Learner(is_silent=True)}, min_fit=2)


def test_too_few_learners_before_a_round_end_the_training_after_a_while():
    with pytest.raises(TooFewLearnersError, match="round 1 needs 3 learners"):
        run({"a": Learner(), "b": Learner()}, min_available=3)


def test_each_round_is_reported_with_its_metrics():
    learners = {
        "a": Learner(samples=10, loss=1.0, accuracy=0.2),
        "b": Learner(samples=30, loss=2.0, accuracy=0.6),
    }

    _, strategy, watch = run(learners, rounds=2)

    assert [item.round for item in watch.started] == [1, 2]
    completed = watch.completed[0]
    assert completed.loss == pytest.approx(1.75)
    assert completed.accuracy == pytest.approx(0.5)
    measured = {key: completed.metrics[key] for key in ("learners", "samples", "fit_seconds")}
    assert measured == {"learners": 2, "samples": 40, "fit_seconds": 1.0}
    assert strategy.best.round == 1


def test_a_round_reports_how_many_bytes_went_down_and_came_up():
    model = [np.zeros(100_000, np.float32)]

    _, _, watch = run({"a": Learner(), "b": Learner()}, model, rounds=2)

    # To each of two learners for training and for evaluation, and back after training.
    for item in watch.completed:
        assert item.metrics["bytes_down"] == pytest.approx(4 * 400_000, rel=0.02)
        assert item.metrics["bytes_up"] == pytest.approx(2 * 400_000, rel=0.02)


def test_a_loss_that_is_not_a_number_is_reported_as_none_and_with_its_learner():
    _, strategy, watch = run({"a": Learner(loss=math.nan), "b": Learner()})

    assert watch.completed[0].loss is None
    assert watch.completed[0].learners[0].error == "loss is not a number"
    assert strategy.best.accuracy == 0.5


def test_the_best_rounds_parameters_are_those_that_were_evaluated():
    learner = Learner(fit=1)
    _, strategy, _ = run({"a": learner}, rounds=3)

    np.testing.assert_allclose(strategy.best.arrays.to_numpy_ndarrays()[0], 1)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_runs_over_learners_of_which_one_fails(name):
    parameters = dict.fromkeys(STRATEGIES[name].required, 0.1)
    learners = {letter: Learner(fit=0.5) for letter in "abcde"} | {"f": Learner(error=USER_ERROR)}

    result, _, _ = run(learners, rounds=2, strategy=Parametrised(name, parameters))

    assert np.isfinite(result[0]).all()


def test_each_row_says_how_long_its_parameters_took_to_arrive():
    _, _, watch = run({"a": Learner(), "b": Learner()})

    assert [row.upload_seconds for row in watch.completed[0].learners] == [0.01, 0.02]


@pytest.mark.parametrize("name", ["FedAvg", "FedAdam", "Krum"])
def test_parameters_are_freed_without_the_garbage_collector(name):
    parameters = dict.fromkeys(STRATEGIES[name].required, 0.1)
    learners = {letter: Learner() for letter in "abc"}
    first = [np.zeros(1234, np.float32), np.zeros(1234, np.int64)]

    gc.collect()
    gc.disable()
    try:
        run(learners, first, rounds=2, strategy=Parametrised(name, parameters))
        unfreed = arrays_in_memory(1234)
    finally:
        gc.enable()

    assert unfreed == 0


def arrays_in_memory(size):
    return sum(isinstance(it, Array) and tuple(it.shape) == (size,) for it in gc.get_objects())
