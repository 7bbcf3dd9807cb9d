"""The learner's part of a round."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict

from flops_grid.errors import UserCodeError
from flops_grid.messages.flower_internals import take_identity
from flops_grid.user_model import UserModel
from flops_learner.settings import Settings
from flops_learner.training import Training
from flops_runtime.environment import BadSettingsError, read
from support.counting import Changes


class ModelManager:
    """Adds one to its parameters a fit, and remembers what happened in which order."""

    def __init__(self):
        self.calls = []
        self.parameters = []

    def set_model_parameters(self, parameters):
        self.calls.append("set")
        self.parameters = parameters

    def get_model_parameters(self):
        return self.parameters

    def fit_model(self):
        self.calls.append("fit")
        self.parameters = [array + 1 for array in self.parameters]
        return 12

    def evaluate_model(self):
        self.calls.append("evaluate")
        return float(np.sum(self.parameters[0])), 0.5, 3


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


@pytest.fixture
def manager():
    return ModelManager()


@pytest.fixture
def training(manager):
    ticks = iter(range(100))
    return Training(UserModel(manager, Path.cwd()), clock=lambda: float(next(ticks)))


def ask(training, kind, arrays=(), **config):
    content = {"arrays": ArrayRecord(list(arrays)), "config": ConfigRecord(config)}
    context = Context(1, 0, {}, RecordDict(), {})
    return training.client_app()(Message(RecordDict(content), 5, kind), context)


def test_a_fit_begins_with_the_aggregators_parameters_and_returns_its_own(training):
    reply = ask(training, "train", [np.zeros(2)])

    np.testing.assert_array_equal(reply.content["arrays"].to_numpy_ndarrays()[0], [1, 1])
    assert dict(reply.content["metrics"]) == {"num-examples": 12, "fit-seconds": 1.0}


def test_an_evaluation_is_about_the_aggregators_parameters(training):
    reply = ask(training, "evaluate", [np.full(2, 3.0)])

    metrics = {"num-examples": 3, "loss": 6.0, "accuracy": 0.5, "evaluate-seconds": 1.0}
    assert dict(reply.content["metrics"]) == metrics
    assert "arrays" not in reply.content


def test_the_loss_before_training_is_reported_when_the_strategy_wants_it(training, manager):
    reply = ask(training, "train", [np.full(2, 3.0)], **{"wants-train-loss": True})

    assert reply.content["metrics"]["train_loss"] == 6.0
    assert manager.calls == ["set", "evaluate", "fit"]


def test_the_users_code_hears_the_strategy_and_not_what_is_meant_for_aggregators(training, manager):
    heard = []
    manager.fit_model = lambda config: heard.append(config) or 12

    ask(training, "train", [np.zeros(2)], **{"proximal-mu": 0.5, "flops.run": "a run"})

    assert heard == [{"proximal-mu": 0.5}]


def test_rounds_and_samples_are_counted_for_the_result(training):
    ask(training, "train", [np.zeros(2)])
    ask(training, "train", [np.zeros(2)])

    assert (training.rounds, training.samples) == (2, 12)


def test_what_is_trained_is_counted(training):
    changes = Changes()

    ask(training, "train", [np.zeros(2)])
    ask(training, "evaluate", [np.zeros(2)])

    assert changes.of("flops_learner_trained_samples_total") == 12
    assert changes.of("flops_learner_fit_seconds_sum") == 1
    assert changes.of("flops_learner_evaluate_seconds_sum") == 1


def test_what_the_users_code_raises_is_counted_by_what_it_did(training, manager):
    changes = Changes()
    manager.fit_model = lambda: 1 / 0

    with pytest.raises(UserCodeError):
        ask(training, "train", [np.zeros(2)])

    assert changes.of("flops_learner_errors_total", task="fit") == 1
    assert changes.of("flops_learner_errors_total", task="evaluate") == 0


def test_what_the_users_code_raises_leaves_the_app(training, manager):
    manager.fit_model = lambda: 1 / 0

    with pytest.raises(UserCodeError, match="fit_model raised ZeroDivisionError"):
        ask(training, "train", [np.zeros(2)])

    assert training.rounds == 0


def test_all_wrong_settings_are_named_together():
    with pytest.raises(BadSettingsError) as raised:
        read(Settings, {"FLOPS_DATA_SPLIT": "half", "FLOPS_NODE_LEARNERS": "0"})

    named = ("FLOPS_DATA_SPLIT", "FLOPS_NODE_LEARNERS", "FLOPS_AGGREGATOR_ADDRESS")
    assert [name for name in named if name not in raised.value.reason] == []


class Heard:
    """Remembers the calls of a training."""

    def __init__(self):
        self.rounds, self.raises, self.notices = [], [], []

    def doing(self, state):
        pass

    def training(self, round_):
        self.rounds.append(round_)

    def raised(self, traceback):
        self.raises.append(traceback)

    def noticed(self, notice):
        self.notices.append(notice)


def test_code_that_raises_is_reported_with_its_traceback_and_still_an_error(manager):
    heard = Heard()
    training = Training(UserModel(manager, Path.cwd()), heard)
    manager.fit_model = lambda: 1 / 0

    with pytest.raises(UserCodeError):
        ask(training, "train", [np.zeros(1)], **{"server-round": 7})

    assert heard.rounds == [7]
    (traceback,) = heard.raises
    assert traceback.startswith("fit_model raised ZeroDivisionError: division by zero")
    assert "Traceback (most recent call last)" in traceback


def test_a_strategy_whose_parameter_is_ignored_is_reported_once(manager):
    heard = Heard()
    training = Training(UserModel(manager, Path.cwd()), heard)

    for number in (1, 2):
        ask(training, "train", [np.zeros(1)], **{"server-round": number, "proximal-mu": 0.1})

    (notice,) = heard.notices
    assert notice.startswith("The strategy sends proximal-mu to fit_model, which has no parameter")


class HelpfulManager(ModelManager):
    """Stays near the parameters that it was sent, as FedProx wants it."""

    def fit_model(self, config):
        sent = self.parameters
        self.parameters = [array + 1 / (1 + config["proximal-mu"]) for array in sent]
        return 12


def test_fit_model_gets_what_the_strategy_sends_if_it_has_a_config():
    heard = Heard()
    training = Training(UserModel(HelpfulManager(), Path.cwd()), heard)

    reply = ask(training, "train", [np.zeros(1)], **{"server-round": 1, "proximal-mu": 1.0})

    np.testing.assert_allclose(reply.content["arrays"].to_numpy_ndarrays()[0], 0.5)
    assert heard.notices == []


def test_without_an_ignored_parameter_there_is_no_notice(manager):
    heard = Heard()
    training = Training(UserModel(manager, Path.cwd()), heard)

    ask(training, "train", [np.zeros(1)], **{"server-round": 1})

    assert heard.notices == []


class LeakyManager(ModelManager):
    """Leaves a copy of its data in a cycle of references at each fit, as some libraries do."""

    def fit_model(self):
        knot = {"copy": np.zeros(1_000_000)}
        knot["itself"] = knot
        return super().fit_model()


def test_memory_is_flat_over_twenty_rounds_even_if_the_users_library_ties_knots():
    training = Training(UserModel(LeakyManager(), Path.cwd()))
    after = []
    tracemalloc.start()
    try:
        for _ in range(20):
            ask(training, "train", [np.zeros(500_000)])
            ask(training, "evaluate", [np.zeros(500_000)])
            after.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()

    assert max(after) <= 1.2 * after[0]
