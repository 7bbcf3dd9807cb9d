"""From the name and parameters in an SLA to a strategy of Flower's."""

import inspect
from typing import Any

from flwr.app import ConfigRecord
from flwr.serverapp import strategy as flower
from flwr.serverapp.strategy import Strategy

from flops_aggregator.settings import TrainingSettings
from flops_contracts.sla import Compression, Parametrised
from flops_contracts.strategies import STRATEGIES
from flops_grid.messages.records import ARRAYS, CONFIG, SAMPLES, WANTS_TRAIN_LOSS
from flops_grid.updates.compression import COMPRESSION
from flops_runtime.environment import BadSettingsError


def build_strategy(training: TrainingSettings) -> Strategy:
    """Return the asked strategy over all learners; raise ``BadSettingsError``."""
    asked = training.strategy
    if asked.name not in STRATEGIES:
        known = ", ".join(sorted(STRATEGIES))
        raise BadSettingsError(f"there is no strategy {asked.name}; there are {known}")
    factory = getattr(flower, asked.name)
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
            **_arguments(factory, asked),
        )
    except (TypeError, ValueError) as error:
        raise BadSettingsError(
            f"{asked.name} refuses its parameters {dict(asked.parameters)}: {error}",
            hint=f"It takes {sorted(STRATEGIES[asked.name].parameters) or 'none'}.",
        ) from error
    return strategy


def train_config(training: TrainingSettings) -> ConfigRecord:
    """Return what learners have to know besides what the strategy tells them itself."""
    config = ConfigRecord()
    if STRATEGIES[training.strategy.name].needs_train_loss:
        config[WANTS_TRAIN_LOSS] = True
    if training.compression is not Compression.NONE:
        config[COMPRESSION] = str(training.compression)
    return config


def _arguments(factory: Any, asked: Parametrised) -> dict[str, float | int]:
    """SLAs have numbers only; whole ones are what some of Flower's parameters have to be."""
    known = inspect.signature(factory).parameters
    whole = {name for name, parameter in known.items() if parameter.annotation in (int, "int")}
    return {
        name: _whole(name, value) if name in whole else float(value)
        for name, value in asked.parameters.items()
    }


def _whole(name: str, value: Any) -> int:
    if value != int(value):
        raise ValueError(f"{name} is {value}, but must be a whole number")
    return int(value)
