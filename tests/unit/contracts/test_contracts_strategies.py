"""A strategy's parameters, and the answers that it needs: checked before anything is deployed."""

import pytest

from flops_contracts.sla import BestBy, Direction, Metric
from flops_contracts.sla_documents import InvalidSlaError, read_project_sla
from flops_contracts.strategies import STRATEGIES, least_clients

PATH = "strategy.parameters"


def a_sla(strategy, **training):
    return {
        "customerID": "ada",
        "ml_repo_url": "https://git.example/r",
        "ml_model_flavor": "sklearn",
        "training_configuration": {"min_fit_clients": 20, **training},
        "learners": 20,
        "strategy": strategy,
    }


def problems(strategy, **training):
    with pytest.raises(InvalidSlaError) as caught:
        read_project_sla(a_sla(strategy, **training))
    return caught.value.problems


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_is_accepted_with_its_defaults(name):
    middle = dict.fromkeys(STRATEGIES[name].required, 0.5)

    chosen = read_project_sla(a_sla({"name": name, "parameters": middle})).strategy

    assert (chosen.name, chosen.best_by) == (name, BestBy())


@pytest.mark.parametrize(
    ("name", "parameters", "problem"),
    [
        ("FedProx", {}, "FedProx needs proximal_mu (how strongly they are held: a number of"),
        ("FedProx", {"proximal_mu": -1}, "proximal_mu must be a number of at least 0, not -1."),
        (
            "FedProx",
            {"proximal_mu": "0.1"},
            "proximal_mu must be a number of at least 0, not '0.1'",
        ),
        ("FedProx", {"proximal_mu": True}, "proximal_mu must be a number of at least 0, not True"),
        ("FedProx", {"proximal": 1, "proximal_mu": 1}, "Did you mean 'proximal_mu'?"),
        ("FedAvg", {"eta": 1}, "FedAvg takes no parameters, not eta."),
        ("FedAdam", {"eta": 0}, "eta must be a number greater than 0, not 0."),
        ("FedAdam", {"beta_1": 1}, "beta_1 must be a number of at least 0 and less than 1, not 1."),
        ("FedTrimmedAvg", {"beta": 0.5}, "beta must be a number of at least 0 and less than 0.5"),
        ("Krum", {"num_malicious_nodes": 0.5}, "must be a whole number of at least 0, not 0.5."),
        ("MultiKrum", {"num_nodes_to_select": 0}, "must be a whole number of at least 1, not 0."),
        ("QFedAvg", {"q": 1}, "QFedAvg needs client_learning_rate"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_range(name, parameters, problem):
    (text,) = problems({"name": name, "parameters": parameters})[PATH]

    assert problem in text


def test_all_problems_of_a_strategy_are_reported_at_once():
    parameters = {"eta": -1, "beta_2": 7, "gamma": 1}

    assert len(problems({"name": "FedAdam", "parameters": parameters})[PATH]) == 3


@pytest.mark.parametrize(
    ("name", "parameters", "least"),
    [
        ("FedAvg", {}, 1),
        ("FedMedian", {}, 3),
        ("FedTrimmedAvg", {}, 5),
        ("FedTrimmedAvg", {"beta": 0.1}, 10),
        ("FedTrimmedAvg", {"beta": 0}, 1),
        ("Krum", {"num_malicious_nodes": 2}, 7),
        ("MultiKrum", {"num_malicious_nodes": 1, "num_nodes_to_select": 9}, 9),
        ("Bulyan", {"num_malicious_nodes": 2}, 11),
    ],
)
def test_a_strategy_that_needs_more_answers_than_a_round_has_is_refused(name, parameters, least):
    assert least_clients(name, parameters) == least
    enough = {"name": name, "parameters": parameters}

    assert read_project_sla(a_sla(enough, min_fit_clients=least))
    if least > 1:
        (text,) = problems(enough, min_fit_clients=least - 1)["strategy"]
        assert f"{name} needs {least} answers in each round" in text
        assert f"min_fit_clients is {least - 1}" in text


@pytest.mark.parametrize(
    ("best_by", "rule"),
    [
        ({}, BestBy(Metric.ACCURACY, Direction.MAX)),
        ({"metric": "loss"}, BestBy(Metric.LOSS, Direction.MIN)),
        ({"metric": "loss", "direction": "max"}, BestBy(Metric.LOSS, Direction.MAX)),
        ({"direction": "min"}, BestBy(Metric.ACCURACY, Direction.MIN)),
    ],
)
def test_the_best_round_is_chosen_by_a_metric_in_its_usual_direction(best_by, rule):
    sla = read_project_sla(a_sla({"name": "FedAvg", "best_by": best_by}))

    assert sla.strategy.best_by == rule


def test_a_rule_that_makes_no_sense_is_refused():
    refused = problems({"name": "FedAvg", "best_by": {"metric": "f1", "way": "up"}})

    assert set(refused) == {"strategy.best_by.metric", "strategy.best_by.way"}
