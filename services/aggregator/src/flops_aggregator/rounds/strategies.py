"""Flower's strategy for the name and parameters in an SLA."""

import inspect
from typing import Any

from flwr.app import ConfigRecord
from flwr.serverapp import strategy as flower
from flwr.serverapp.strategy import Strategy

from flops_contracts.orders import TrainOrder
from flops_contracts.sla import Compression, Parametrised
from flops_contracts.strategies import STRATEGIES
from flops_grid.messages.records import ARRAYS, CONFIG, SAMPLES, WANTS_TRAIN_LOSS
from flops_grid.updates.compression import COMPRESSION
from flops_runtime.environment import BadSettingsError


def build_strategy(training: TrainOrder) -> Strategy:
    """Return the strategy of the settings over all clients; raise ``BadSettingsError``."""
    chosen = training.strategy
    if chosen.name not in STRATEGIES:
        names = ", ".join(sorted(STRATEGIES))
        raise BadSettingsError(f"there is no strategy {chosen.name}; choose one of {names}")
    factory = getattr(flower, chosen.name)
    try:
        strategy: Strategy = factory(
            fraction_train=1.0,
            fraction_evaluate=1.0,
            min_train_nodes=training.min_fit,
            min_evaluate_nodes=training.min_evaluate,
            min_available_nodes=training.min_available,
            weighted_by_key=SAMPLES,
            arrayrecord_key=ARRAYS,
            configrecord_key=CONFIG,
            **_arguments(factory, chosen),
        )
    except (TypeError, ValueError) as error:
        raise BadSettingsError(
            f"{chosen.name} refuses its parameters {dict(chosen.parameters)}: {error}",
            hint=f"It takes {sorted(STRATEGIES[chosen.name].parameters) or 'none'}.",
        ) from error
    return strategy


def train_config(training: TrainOrder) -> ConfigRecord:
    """Return the config for learners, besides what the strategy itself adds to it."""
    config = ConfigRecord()
    if STRATEGIES[training.strategy.name].needs_train_loss:
        config[WANTS_TRAIN_LOSS] = True
    if training.compression is not Compression.NONE:
        config[COMPRESSION] = str(training.compression)
    return config


def _arguments(factory: Any, chosen: Parametrised) -> dict[str, float | int]:
    """Return the parameters in an SLA, as integers where Flower's signature has ``int``."""
    signature = inspect.signature(factory).parameters
    whole = {name for name, parameter in signature.items() if parameter.annotation in (int, "int")}
    return {
        name: _whole(name, value) if name in whole else float(value)
        for name, value in chosen.parameters.items()
    }


def _whole(name: str, value: Any) -> int:
    if value != int(value):
        raise ValueError(f"{name} is {value}, but must be a whole number")
    return int(value)
