"""Each strategy follows its paper: two rounds beside the rule written out in NumPy."""

import math

import numpy as np
import pytest

from flops_contracts.sla import Parametrised
from flops_contracts.strategies import STRATEGIES
from flops_grid.messages.flower_internals import take_identity
from support.federation import Learner, run

ROUNDS = 2
SIZES = np.array([10.0, 20.0, 30.0, 40.0, 10.0, 20.0, 50.0])
LOSSES = np.array([0.5, 1.0, 2.0, 0.1, 0.7, 1.5, 3.0])
STEPS = np.random.default_rng(7).normal(size=(7, 12))
FIRST = np.random.default_rng(8).normal(size=12)


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


def trained(name, parameters, steps=STEPS, rounds=ROUNDS):
    """Return what learners that always take the same steps come to."""
    learners = {
        f"learner{number}": Learner(
            fit=lambda arrays, step=step: [arrays[0] + step],
            samples=SIZES[number % 7],
            loss=LOSSES[number % 7],
        )
        for number, step in enumerate(steps)
    }
    (result,), _, _ = run(learners, [FIRST], rounds=rounds, strategy=Parametrised(name, parameters))
    return result


def mean(answers):
    return np.average(answers, axis=0, weights=SIZES)


def fed_avg(x, answers, state):
    """McMahan et al. 2017, algorithm 1."""
    del x, state
    return mean(answers)


def fed_avg_m(x, answers, state, rate, momentum):
    """Hsu et al. 2019, section 4.3."""
    state["v"] = momentum * state.get("v", 0.0) + (x - mean(answers))
    return x - rate * state["v"]


def adaptive(second_moment, beta_1, beta_2, eta, tau, *, is_corrected=False):
    """Reddi et al. 2021, algorithm 2; moments begin at zero, as Flower has it."""

    def rule(x, answers, state):
        delta = mean(answers) - x
        state["t"] = state.get("t", 0) + 1
        state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * delta
        state["v"] = second_moment(state.get("v", np.zeros_like(x)), delta**2, beta_2)
        # Kingma and Ba 2015, section 2; Flower counts one more than the round.
        power = state["t"] + 1
        correction = math.sqrt(1 - beta_2**power) / (1 - beta_1**power) if is_corrected else 1.0
        return x + eta * correction * state["m"] / (np.sqrt(state["v"]) + tau)

    return rule


def adagrad(v, squares, _beta_2):
    return v + squares


def adam(v, squares, beta_2):
    return beta_2 * v + (1 - beta_2) * squares


def yogi(v, squares, beta_2):
    return v - (1 - beta_2) * squares * np.sign(v - squares)


def q_fed_avg(x, answers, state, q, rate):
    """Li et al. 2020, algorithm 2, with 1 / ``rate`` for the Lipschitz constant."""
    del state
    gradients = (x - answers) / rate
    steps = LOSSES[:, None] ** q * gradients
    squared = (gradients**2).sum(axis=1)
    h = q * LOSSES ** (q - 1) * squared + LOSSES**q / rate
    return x - steps.sum(axis=0) / h.sum()


def median(x, answers, state):
    """Yin et al. 2018, definition 1."""
    del x, state
    return np.median(answers, axis=0)


def trimmed_mean(x, answers, state, beta):
    """Yin et al. 2018, definition 2."""
    del x, state
    cut = int(beta * len(answers))
    return np.sort(answers, axis=0)[cut : len(answers) - cut].mean(axis=0)


def krum_scores(answers, liars):
    """Blanchard et al. 2017, section 3: distances to the n - f - 2 nearest, squared and summed."""
    distances = ((answers[:, None] - answers[None]) ** 2).sum(axis=2)
    near = len(answers) - liars - 2
    return np.array([np.sort(np.delete(row, at))[:near].sum() for at, row in enumerate(distances)])


def krum(x, answers, state, liars, chosen=1):
    del x, state
    best = np.argsort(krum_scores(answers, liars))[:chosen]
    return np.average(answers[best], axis=0, weights=SIZES[best])


def bulyan(x, answers, state, liars):
    """El Mhamdi et al. 2018, algorithm 2: choose n - 2f by Krum, then the nearest to the median.

    The paper chooses one after the other, each time among those that are left; Flower all at once.
    """
    del x, state
    chosen = answers[np.argsort(krum_scores(answers, liars))[: len(answers) - 2 * liars]]
    nearest = np.argsort(np.abs(chosen - np.median(chosen, axis=0)), axis=0)
    values = np.take_along_axis(chosen, nearest[: len(chosen) - 2 * liars], axis=0)
    return values.mean(axis=0)


RULES = [
    ("FedAvg", {}, fed_avg),
    ("FedProx", {"proximal_mu": 0.1}, fed_avg),
    (
        "FedAvgM",
        {"server_learning_rate": 0.5, "server_momentum": 0.9},
        lambda *arguments: fed_avg_m(*arguments, rate=0.5, momentum=0.9),
    ),
    ("FedAdagrad", {"eta": 0.2, "tau": 0.01}, adaptive(adagrad, 0.0, 0.0, 0.2, 0.01)),
    (
        "FedAdam",
        {"eta": 0.2, "beta_1": 0.8, "beta_2": 0.9, "tau": 0.01},
        adaptive(adam, 0.8, 0.9, 0.2, 0.01, is_corrected=True),
    ),
    (
        "FedYogi",
        {"eta": 0.2, "beta_1": 0.8, "beta_2": 0.9, "tau": 0.01},
        adaptive(yogi, 0.8, 0.9, 0.2, 0.01),
    ),
    (
        "QFedAvg",
        {"client_learning_rate": 0.5, "q": 2.0},
        lambda *arguments: q_fed_avg(*arguments, q=2.0, rate=0.5),
    ),
    ("FedMedian", {}, median),
    ("FedTrimmedAvg", {"beta": 0.2}, lambda *arguments: trimmed_mean(*arguments, beta=0.2)),
    ("Krum", {"num_malicious_nodes": 2}, lambda *arguments: krum(*arguments, liars=2)),
    (
        "MultiKrum",
        {"num_malicious_nodes": 2, "num_nodes_to_select": 3},
        lambda *arguments: krum(*arguments, liars=2, chosen=3),
    ),
    ("Bulyan", {"num_malicious_nodes": 1}, lambda *arguments: bulyan(*arguments, liars=1)),
]


def test_every_strategy_has_its_rule_here():
    assert {name for name, _, _ in RULES} == set(STRATEGIES)


@pytest.mark.parametrize(("name", "parameters", "rule"), RULES, ids=lambda item: str(item)[:20])
def test_a_strategy_follows_its_published_rule(name, parameters, rule):
    x, state = FIRST, {}
    for _ in range(ROUNDS):
        x = rule(x, x + STEPS, state)

    np.testing.assert_allclose(trained(name, parameters), x, rtol=1e-6, atol=1e-9)


HONEST = np.random.default_rng(9).normal(0.1, 0.02, size=(9, 12))
"""Steps of nine learners that agree about where to go."""

POISONS = {
    "far away": np.full((2, 12), 1e6),
    "backwards": np.full((2, 12), -50.0),
    "noise": np.random.default_rng(10).normal(0, 1e3, size=(2, 12)),
}
ROBUST = [
    ("FedMedian", {}),
    ("FedTrimmedAvg", {"beta": 0.2}),
    ("Krum", {"num_malicious_nodes": 2}),
    ("MultiKrum", {"num_malicious_nodes": 2, "num_nodes_to_select": 5}),
    ("Bulyan", {"num_malicious_nodes": 2}),
]


def distance(name, parameters, poison):
    """Return how far three rounds with liars lead from where honest learners lead."""
    steps = np.concatenate([HONEST, POISONS[poison]])
    result = trained(name, parameters, steps, rounds=3)
    return float(np.abs(result - (FIRST + 3 * HONEST.mean(axis=0))).max())


@pytest.mark.parametrize("poison", POISONS)
def test_liars_ruin_the_mean(poison):
    assert distance("FedAvg", {}, poison) > 10


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize(("name", "parameters"), ROBUST, ids=str)
def test_liars_do_not_ruin_a_robust_strategy(name, parameters, poison):
    # Nine honest learners are never further apart than this over three rounds.
    assert distance(name, parameters, poison) < 3 * np.ptp(HONEST, axis=0).max()
