"""Rounds over learners that fail: what is averaged, what is told, and when it ends."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from flwr.app import ArrayRecord, Error, Message, MetricRecord, RecordDict

from flops_aggregator.errors import TooFewLearnersError
from flops_aggregator.settings import TrainingSettings
from flops_aggregator.strategies import build_strategy, train_config
from flops_aggregator.supervision import SupervisedStrategy
from flops_contracts.exit_codes import ExitCode
from flops_contracts.sla import Parametrised
from flops_contracts.sla_schemas import REQUIRED_PARAMETERS, STRATEGIES
from flops_grid.errors import LearnerError, UserCodeError
from flops_grid.flower_internals import LEARNER_RAISED, set_message_id, take_identity
from flops_runtime.environment import Environment

USER_ERROR = LearnerError(
    "fit_model raised ValueError: no", "UserCodeError", "m.py:3", "", ExitCode.USER_CODE_FAILED
)


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


@dataclass
class Learner:
    """What one learner answers."""

    fit: object = 1.0
    samples: float = 10
    loss: float = 0.5
    accuracy: float = 0.5
    error: LearnerError | None = None
    is_silent: bool = False

    def answer(self, message):
        if self.error:
            return Message(Error(LEARNER_RAISED, self.error.to_text()), reply_to=message)
        metrics = {"num-examples": self.samples, "fit-seconds": 1.0, "evaluate-seconds": 0.1}
        metrics |= {"loss": self.loss, "accuracy": self.accuracy, "train_loss": self.loss}
        content = {"metrics": MetricRecord(metrics)}
        if message.metadata.message_type == "train":
            content["arrays"] = self._trained(message.content["arrays"])
        return Message(RecordDict(content), reply_to=message)

    def _trained(self, arrays):
        if isinstance(self.fit, ArrayRecord):
            return self.fit
        trained = [array + self.fit for array in arrays.to_numpy_ndarrays()]
        return ArrayRecord([np.asarray(array) for array in trained])


@dataclass
class FakeGrid:
    """Asks its learners in memory; the part of a grid that a training uses."""

    learners: dict[str, Learner]
    names: list[str] = field(default_factory=list)

    def get_node_ids(self):
        self.names = sorted(self.learners)
        return list(range(1, len(self.names) + 1))

    def wait_for_learners(self, _count, _timeout_seconds):
        return self.names

    def name_of(self, node_id):
        return self.names[node_id - 1]

    def send_and_receive(self, messages, **_):
        replies = []
        for number, message in enumerate(messages):
            set_message_id(message, str(number))
            learner = self.learners[self.name_of(message.metadata.dst_node_id)]
            replies += [] if learner.is_silent else [learner.answer(message)]
        return replies


@dataclass
class Watch:
    started: list[object] = field(default_factory=list)
    completed: list[object] = field(default_factory=list)

    def round_started(self, started):
        self.started.append(started)

    def round_completed(self, completed):
        self.completed.append(completed)


def run(learners, first=None, **changes):
    """Run a training over ``learners`` by name; return (result, strategy, watch)."""
    defaults = {"rounds": 1, "return_timeout_seconds": 0.01, "round_timeout_seconds": 5.0}
    training = replace(TrainingSettings.from_env(Environment({})), **(defaults | changes))
    grid, watch = FakeGrid(learners), Watch()
    wants = training.strategy.name == "QFedAvg"
    inner = build_strategy(training)
    strategy = SupervisedStrategy(inner, training, grid, watch, wants_train_loss=wants)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(first or [np.zeros(3, np.float32)]),
        num_rounds=training.rounds,
        timeout=training.round_timeout_seconds,
        train_config=train_config(training),
    )
    return result, strategy, watch


def arrays_of(result):
    return result.arrays.to_numpy_ndarrays()


def test_the_average_is_weighted_by_samples():
    result, _, _ = run({"a": Learner(fit=1, samples=10), "b": Learner(fit=4, samples=30)})

    np.testing.assert_allclose(arrays_of(result)[0], 3.25)


def test_parameters_keep_their_types_and_shapes():
    first = [
        np.zeros((2, 2), np.float32),
        np.array(3),
        np.array(2.5, np.float16),
        np.array([True, False]),
        np.zeros((0, 4)),
    ]

    result, _, _ = run({"a": Learner(fit=1), "b": Learner(fit=2)}, first)

    described = [(array.dtype, array.shape) for array in arrays_of(result)]
    assert described == [(array.dtype, array.shape) for array in first]
    assert arrays_of(result)[1] == 4


def test_a_learner_that_fails_costs_nothing_while_the_minima_are_met():
    result, _, watch = run({"a": Learner(fit=2), "b": Learner(error=USER_ERROR)})

    np.testing.assert_allclose(arrays_of(result)[0], 2)
    rows = watch.completed[0].learners
    assert [(row.learner, row.error) for row in rows] == [
        ("a", ""),
        ("b", "fit_model raised ValueError: no (m.py:3)"),
    ]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Learner(fit=math.nan), "holds values that are no numbers"),
        (Learner(fit=ArrayRecord([np.zeros(4)])), "has the shape (4,), not (3,)"),
        (Learner(fit=ArrayRecord([np.zeros(3), np.zeros(3)])), "2 arrays after fit_model, not 1"),
        (Learner(fit=ArrayRecord([np.array(["a"] * 3)])), "not of numbers"),
        (Learner(samples=0), "about 0 samples"),
        (Learner(is_silent=True), "no answer within 5 s"),
    ],
)
def test_an_unusable_reply_is_left_out_and_told(bad, said):
    result, _, watch = run({"a": Learner(fit=2), "b": bad})

    np.testing.assert_allclose(arrays_of(result)[0], 2)
    assert said in watch.completed[0].learners[1].error


def test_a_user_error_everywhere_ends_the_training_with_its_place():
    with pytest.raises(UserCodeError, match="fit_model raised ValueError: no") as raised:
        run({"a": Learner(error=USER_ERROR), "b": Learner(error=USER_ERROR)})

    assert raised.value.where == "m.py:3"
    assert str(raised.value).count("ValueError") == 1


def test_silence_below_the_minimum_ends_the_training_with_who_was_silent():
    with pytest.raises(TooFewLearnersError, match=r"1 of at least 2 .* b: no answer within 5 s"):
        run({"a": Learner(), "b": Learner(is_silent=True)}, min_fit=2)


def test_a_users_mistake_is_told_before_anybodys_silence():
    with pytest.raises(UserCodeError):
        run({"a": Learner(error=USER_ERROR), "b": Learner(is_silent=True)}, min_fit=2)


def test_too_few_learners_before_a_round_end_the_training_after_a_while():
    with pytest.raises(TooFewLearnersError, match="round 1 needs 3 learners"):
        run({"a": Learner(), "b": Learner()}, min_available=3)


def test_each_round_is_told_with_its_metrics():
    learners = {
        "a": Learner(samples=10, loss=1.0, accuracy=0.2),
        "b": Learner(samples=30, loss=2.0, accuracy=0.6),
    }

    _, strategy, watch = run(learners, rounds=2)

    assert [one.round for one in watch.started] == [1, 2]
    completed = watch.completed[0]
    assert completed.loss == pytest.approx(1.75)
    assert completed.accuracy == pytest.approx(0.5)
    assert completed.metrics == {"learners": 2, "samples": 40, "fit_seconds": 1.0}
    assert strategy.best.round == 1


def test_a_loss_that_is_no_number_is_told_as_none_and_with_who_has_it():
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
    parameters = dict.fromkeys(REQUIRED_PARAMETERS.get(name, ()), 0.1)
    learners = {letter: Learner(fit=0.5) for letter in "abcde"} | {"f": Learner(error=USER_ERROR)}

    result, _, _ = run(learners, rounds=2, strategy=Parametrised(name, parameters))

    assert np.isfinite(arrays_of(result)[0]).all()
