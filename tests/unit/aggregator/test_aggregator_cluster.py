"""Clusters as clients: weights, metrics, what passes down and up, and where failures began."""

import math

import numpy as np
import pytest

from flops_aggregator.checkpoints.files import Memory
from flops_aggregator.errors import TooFewLearnersError
from flops_contracts.exit_codes import ExitCode
from flops_contracts.sla import Parametrised
from flops_contracts.strategies import STRATEGIES
from flops_grid.errors import LearnerError, UserCodeError
from flops_grid.messages.flower_internals import take_identity
from support.federation import Learner, MemoryCluster, MemoryRuns, run

USER_ERROR = LearnerError(
    "fit_model raised ValueError: no", "UserCodeError", "m.py:3", "", ExitCode.USER_CODE_FAILED
)


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


def towards(target, rate=0.5):
    """Return a fit that moves parameters some way to ``target``: where it begins matters."""
    return lambda arrays: [
        np.asarray(array + rate * (target - array), array.dtype) for array in arrays
    ]


def three_learners():
    return {
        "a": Learner(fit=towards(1.0), samples=10, loss=1.0, accuracy=0.2),
        "b": Learner(fit=towards(5.0), samples=30, loss=2.0, accuracy=0.6),
        "c": Learner(fit=towards(-2.0), samples=60, loss=4.0, accuracy=0.9),
    }


@pytest.mark.parametrize(("cycles", "rounds"), [(1, 4), (4, 1), (2, 3)])
def test_one_cluster_gives_what_classic_mode_gives_in_as_many_rounds(cycles, rounds):
    first = [np.linspace(0, 1, 7, dtype=np.float32), np.array(2.0)]

    classic, _, _ = run(three_learners(), first, rounds=cycles * rounds)
    cluster = MemoryCluster(three_learners(), rounds=rounds)
    hierarchical, _, _ = run({"cluster": cluster}, first, rounds=cycles)

    for item, other in zip(hierarchical, classic, strict=True):
        np.testing.assert_allclose(item, other, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"QFedAvg"}))
def test_one_cluster_gives_what_classic_mode_gives_with_any_strategy(name):
    chosen_strategy = Parametrised(name, dict.fromkeys(STRATEGIES[name].required, 0.25))
    learners = {letter: Learner(fit=towards(n**2)) for n, letter in enumerate("abcde")}

    classic, _, _ = run(learners, rounds=6, strategy=chosen_strategy)
    cluster = MemoryCluster(learners, rounds=3, strategy=chosen_strategy)
    hierarchical, _, _ = run({"cluster": cluster}, rounds=2)

    np.testing.assert_allclose(hierarchical[0], classic[0], rtol=1e-6)


def test_learners_hear_a_round_that_counts_on_over_the_cycles():
    learner = Learner()

    run({"cluster": MemoryCluster({"a": learner}, rounds=2)}, rounds=2)

    # Train and evaluate in each round, and the cycle's evaluation after its last one.
    heard = [config["server-round"] for config in learner.seen]
    assert heard == [1, 1, 2, 2, 2, 3, 3, 4, 4, 4]


def test_one_cluster_is_evaluated_as_in_classic_mode():
    _, _, classic = run(three_learners(), rounds=2)
    cluster = MemoryCluster(three_learners(), rounds=2)
    _, _, hierarchical = run({"cluster": cluster}, rounds=1)

    (cycle,), last = hierarchical.completed, classic.completed[-1]
    assert (cycle.loss, cycle.accuracy) == pytest.approx((last.loss, last.accuracy))


def test_two_clusters_give_what_is_computed_by_hand():
    learners = three_learners()
    clusters = {
        "north": MemoryCluster({"a": learners["a"], "b": learners["b"]}, rounds=2),
        "south": MemoryCluster({"c": learners["c"]}, rounds=2),
    }

    result, _, _ = run(clusters, [np.zeros(1)], rounds=2)

    # Two rounds of moving half the way leave a quarter of the start: x/4 + 3/4 of the goal, which
    # is (10*1 + 30*5) / 40 = 4 in the north and -2 in the south; they weigh 40 and 60 samples.
    first = (40 * (3 / 4 * 4) + 60 * (3 / 4 * -2)) / 100
    second = (40 * (first / 4 + 3 / 4 * 4) + 60 * (first / 4 + 3 / 4 * -2)) / 100
    np.testing.assert_allclose(result[0], second, rtol=1e-12)


def test_a_cluster_weighs_the_mean_of_what_its_rounds_trained_on():
    class SometimesAway(Learner):
        def answer(self, message):
            self.is_silent = message.content["config"]["server-round"] == 2
            return super().answer(message)

    north = MemoryCluster({"a": Learner(samples=10), "b": SometimesAway(samples=30)}, rounds=2)

    _, _, watch = run({"north": north})

    assert watch.completed[0].metrics["samples"] == (40 + 10) / 2


def test_the_evaluation_is_that_of_all_learners_weighted_by_samples():
    learners = three_learners()
    clusters = {
        "north": MemoryCluster({"a": learners["a"], "b": learners["b"]}),
        "south": MemoryCluster({"c": learners["c"]}),
    }

    _, strategy, watch = run(clusters)

    loss = (10 * 1.0 + 30 * 2.0 + 60 * 4.0) / 100
    accuracy = (10 * 0.2 + 30 * 0.6 + 60 * 0.9) / 100
    first_round = watch.completed[0]
    assert (first_round.loss, first_round.accuracy) == pytest.approx((loss, accuracy))
    assert strategy.best.accuracy == pytest.approx(accuracy)


def test_the_root_counts_cycles_and_its_clusters_rounds_within_them():
    cluster = MemoryCluster({"a": Learner()}, rounds=2)

    _, _, root = run({"cluster": cluster}, rounds=2)

    assert [(item.cycle, item.round, item.is_cycle) for item in root.completed] == [
        (1, 1, True),
        (2, 2, True),
    ]
    rounds = [(item.cycle, item.round, item.is_cycle) for item in cluster.watch.completed]
    assert rounds == [(1, 1, False), (1, 2, False), (2, 1, False), (2, 2, False)]
    assert [(item.cycle, item.round) for item in cluster.watch.started] == [
        item[:2] for item in rounds
    ]


def test_three_levels_give_what_classic_mode_gives_over_the_same_learners():
    learners = three_learners()
    region = MemoryCluster(
        {
            "north": MemoryCluster({"a": learners["a"]}),
            "south": MemoryCluster({"b": learners["b"]}),
        }
    )
    far = MemoryCluster({"west": MemoryCluster({"c": learners["c"]})})

    classic, _, _ = run(three_learners(), rounds=3)
    result, _, _ = run({"region": region, "far": far}, rounds=3)

    np.testing.assert_allclose(result[0], classic[0], rtol=1e-6)


def test_in_three_levels_each_counts_the_exchanges_of_the_one_above():
    leaf = MemoryCluster({"a": Learner()}, "leaf", rounds=2)
    middle = MemoryCluster({"leaf": leaf}, "middle", rounds=3)

    run({"middle": middle}, rounds=2)

    cycles = [item.cycle for item in leaf.watch.completed]
    assert cycles == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert {*middle.runs.parents} == {"run of the root"}
    assert {*leaf.runs.parents} == {"run of middle"}


def test_the_configuration_of_the_roots_strategy_reaches_every_learner():
    learner = Learner()
    cluster = MemoryCluster({"a": learner}, rounds=2)

    run({"cluster": cluster}, strategy=Parametrised("FedProx", {"proximal_mu": 0.25}))

    trained = [config for config in learner.seen if "proximal-mu" in config]
    assert [(item["server-round"], item["proximal-mu"]) for item in trained] == [
        (1, 0.25),
        (2, 0.25),
    ]


@pytest.mark.parametrize("name", ["FedAdam", "FedAvgM", "FedMedian", "QFedAvg"])
def test_the_roots_strategy_treats_clusters_as_classic_mode_treats_learners(name):
    needed = {"QFedAvg": {"client_learning_rate": 0.1}}
    chosen_strategy = Parametrised(name, needed.get(name, {}))
    learners = three_learners()

    classic, _, _ = run(learners, rounds=2, strategy=chosen_strategy)
    clusters = {letter: MemoryCluster({letter: item}) for letter, item in learners.items()}
    result, _, _ = run(clusters, rounds=2, strategy=chosen_strategy)

    np.testing.assert_allclose(result[0], classic[0], rtol=1e-5)


def test_a_learners_mistake_reaches_the_root_with_its_instance_cluster_round_and_cycle():
    cluster = MemoryCluster({"lrn1": Learner(error=USER_ERROR), "lrn2": Learner()}, "munich")
    broken = MemoryCluster({"lrn3": Learner(error=USER_ERROR)}, "berlin")

    with pytest.raises(UserCodeError, match="fit_model raised ValueError: no") as raised:
        run({"one": cluster, "two": broken}, min_fit=2)

    error = raised.value
    assert (error.origin, error.origin_cluster, error.where) == ("lrn3", "berlin", "m.py:3")
    assert (error.round, error.cycle) == (1, 1)


def test_it_reaches_the_root_through_three_levels():
    leaf = MemoryCluster({"lrn1": Learner(error=USER_ERROR)}, "berlin")
    middle = MemoryCluster({"leaf": leaf}, "germany")

    with pytest.raises(UserCodeError) as raised:
        run({"middle": middle})

    assert (raised.value.origin, raised.value.origin_cluster) == ("lrn1", "berlin")


def test_a_cluster_below_its_minima_costs_its_cycle_and_not_the_project():
    lonely = MemoryCluster({"a": Learner(fit=9), "b": Learner(is_silent=True)}, min_fit=2)
    whole = MemoryCluster({"c": Learner(fit=2)})

    result, _, watch = run({"lonely": lonely, "whole": whole})

    np.testing.assert_allclose(result[0], 2)
    rows = {row.learner: row.error for row in watch.completed[0].learners}
    assert rows["whole"] == ""
    assert "round 1: 1 of at least 2 learners could train; b: no reply" in rows["lonely"]


def test_a_cluster_that_can_train_again_counts_again_in_the_next_cycle():
    class AwayAtFirst(Learner):
        def answer(self, message):
            self.is_silent = not self.seen
            return super().answer(message)

    lonely = MemoryCluster({"a": Learner(), "b": AwayAtFirst()}, min_fit=2)
    whole = MemoryCluster({"c": Learner()})

    _, _, watch = run({"lonely": lonely, "whole": whole}, rounds=2)

    assert [item.metrics["learners"] for item in watch.completed] == [1, 2]


def test_too_few_clusters_end_the_project_with_what_each_of_them_said():
    lonely = MemoryCluster({"a": Learner(is_silent=True)}, "berlin")

    with pytest.raises(TooFewLearnersError, match="cycle 1: 0 of at least 1 clusters") as raised:
        run({"lonely": lonely})

    assert (raised.value.origin, raised.value.origin_cluster) == ("a", "berlin")


def test_a_clusters_loss_that_is_not_a_number_is_reported_as_none():
    _, _, watch = run({"cluster": MemoryCluster({"a": Learner(loss=math.nan)})})

    assert watch.completed[0].loss is None
    assert watch.completed[0].accuracy == 0.5


ADAM = Parametrised("FedAdam", {"eta": 0.3})


def undisturbed():
    result, _, _ = run({"c": MemoryCluster(three_learners(), rounds=2, strategy=ADAM)}, rounds=3)
    return result[0]


def test_a_cluster_that_is_replaced_before_every_message_gives_the_same():
    runs = MemoryRuns()

    class Replaced(MemoryCluster):
        def __init__(self):
            pass

        def answer(self, message):
            new = MemoryCluster(three_learners(), runs=runs, rounds=2, strategy=ADAM)
            return new.answer(message)

    result, _, _ = run({"c": Replaced()}, rounds=3)

    np.testing.assert_array_equal(result[0], undisturbed())


class KilledError(BaseException):
    """The process is gone."""


def test_a_cluster_that_is_replaced_in_the_middle_of_a_cycle_goes_on_in_it():
    runs, learners = MemoryRuns(), three_learners()
    fits = []

    def dying(arrays):
        fits.append(1)
        if len(fits) == 4:
            raise KilledError
        return towards(1.0)(arrays)

    learners["a"].fit = dying

    class Dying(MemoryCluster):
        def __init__(self):
            self.now = MemoryCluster(learners, runs=runs, rounds=2, strategy=ADAM)

        def answer(self, message):
            try:
                return self.now.answer(message)
            except KilledError:
                self.now = MemoryCluster(learners, runs=runs, rounds=2, strategy=ADAM)
                return self.now.answer(message)

    result, _, _ = run({"c": Dying()}, rounds=3)

    np.testing.assert_array_equal(result[0], undisturbed())
    assert len(fits) == 7


@pytest.mark.parametrize("lost", [1, 2])
def test_a_root_that_goes_on_after_an_older_cycle_finds_the_cluster_as_it_was_then(lost):
    checkpoints = []
    cluster = MemoryCluster(three_learners(), rounds=2, strategy=ADAM)
    run({"c": cluster}, memory=Memory(keep=checkpoints.append), rounds=3)

    result, _, _ = run({"c": cluster}, memory=Memory(checkpoints[-1 - lost]), rounds=3)

    np.testing.assert_array_equal(result[0], undisturbed())


def test_a_cluster_does_not_keep_a_best_model():
    runs = MemoryRuns()

    run({"c": MemoryCluster(three_learners(), runs=runs, rounds=2)}, rounds=1)

    assert [item.best for item in runs.checkpoints] == [None, None]
