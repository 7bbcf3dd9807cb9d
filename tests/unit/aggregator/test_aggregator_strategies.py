"""Every strategy that an SLA may name exists in the installed Flower, with these parameters."""

import inspect
from dataclasses import replace

import pytest
from flwr.serverapp import strategy as flower
from flwr.serverapp.strategy import FedAvg

from flops_aggregator.rounds.strategies import build_strategy, train_config
from flops_aggregator.settings import Settings
from flops_contracts.orders import TrainOrder
from flops_contracts.roles import Role
from flops_contracts.sla import Parametrised
from flops_contracts.strategies import STRATEGIES
from flops_runtime.environment import BadSettingsError, read

WHOLE = {"num_malicious_nodes": 1, "num_nodes_to_select": 1}
COMMON = set(inspect.signature(FedAvg).parameters)


def a_training(**changes):
    return replace(read(TrainOrder, {}), **changes)


def asked(name, **parameters):
    return a_training(strategy=Parametrised(name, parameters))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_the_table_has_exactly_the_numbers_that_the_strategy_takes(name):
    taken = inspect.signature(getattr(flower, name)).parameters
    numbers = {key for key, parameter in taken.items() if parameter.annotation in (int, float)}

    assert numbers - COMMON == set(STRATEGIES[name].parameters)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_the_required_parameters_are_those_without_a_default(name):
    taken = inspect.signature(getattr(flower, name)).parameters.values()
    required = {
        parameter.name for parameter in taken if parameter.default is inspect.Parameter.empty
    }

    # FedProx with Flower's default would be FedAvg, and nobody would know.
    assert STRATEGIES[name].required - required == ({"proximal_mu"} if name == "FedProx" else set())
    assert required <= STRATEGIES[name].required


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_the_defaults_of_the_table_are_flowers_own(name):
    taken = inspect.signature(getattr(flower, name)).parameters

    for key, parameter in STRATEGIES[name].parameters.items():
        if parameter.default is not None:
            assert parameter.default == taken[key].default
            assert parameter.admits(parameter.default)


def test_the_table_has_every_strategy_of_flowers_that_averages_parameters():
    classes = {name for name in flower.__all__ if isinstance(getattr(flower, name), type)}
    wrappers = {name for name in classes if name.startswith("DifferentialPrivacy")}
    no_averages = {"FedXgbBagging", "FedXgbCyclic"}
    others = {"Result", "Strategy"}

    assert classes - wrappers - no_averages - others == set(STRATEGIES)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_is_built_from_all_its_parameters(name):
    parameters = {key: float(WHOLE.get(key, 0.25)) for key in STRATEGIES[name].parameters}

    strategy = build_strategy(asked(name, **parameters))

    assert type(strategy).__name__ == name


def test_the_minima_reach_the_strategy():
    strategy = build_strategy(a_training(min_available=5, min_fit=4, min_evaluate=3))

    minima = (
        strategy.min_available_nodes,
        strategy.min_train_nodes,
        strategy.min_evaluate_nodes,
    )
    assert minima == (5, 4, 3)


def test_an_unknown_strategy_is_refused_with_those_that_exist():
    with pytest.raises(BadSettingsError, match="no strategy FedUp; choose one of Bulyan"):
        build_strategy(asked("FedUp"))


def test_a_missing_parameter_is_refused():
    with pytest.raises(BadSettingsError, match="client_learning_rate"):
        build_strategy(asked("QFedAvg"))


def test_half_a_node_is_refused():
    with pytest.raises(BadSettingsError, match="whole number"):
        build_strategy(asked("Krum", num_malicious_nodes=0.5))


def test_only_q_fedavg_asks_learners_for_their_loss():
    wanting = {name for name in STRATEGIES if train_config(asked(name))}

    assert wanting == {"QFedAvg"}


def test_all_wrong_settings_are_named_together():
    with pytest.raises(BadSettingsError) as raised:
        read(Settings, {"FLOPS_TRAINING_ROUNDS": "none", "FLOPS_STRATEGY": "{"})

    named = ("FLOPS_TRAINING_ROUNDS", "FLOPS_STRATEGY", "FLOPS_GRID_TOKEN", "FLOPS_MLFLOW_URL")
    assert [name for name in named if name not in raised.value.reason] == []


def test_a_parent_makes_it_a_clusters_aggregator_which_publishes_no_model():
    variables = {
        "FLOPS_INSTANCE": "cagx1",
        "FLOPS_PROJECT_ID": "p1",
        "FLOPS_STAGE": "training",
        "FLOPS_MQTT_URL": "mqtt://broker",
        "FLOPS_GRID_TOKEN": "t",
        "FLOPS_MLFLOW_URL": "http://mlflow",
        "FLOPS_EXPERIMENT_NAME": "e",
    }

    settings = read(Settings, {**variables, "FLOPS_PARENT_ADDRESS": "10.30.1.2:8080"})

    assert settings.parent.address == "10.30.1.2:8080"
    assert settings.actor.actor.role is Role.CLUSTER_AGGREGATOR
    with pytest.raises(BadSettingsError, match="FLOPS_MODEL_NAME is missing"):
        read(Settings, variables)
