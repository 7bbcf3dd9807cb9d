"""The choice of the best round's model."""

import math
from dataclasses import dataclass
from typing import Any, Final

from flwr.app import ArrayRecord

from flops_contracts.sla import HIGHEST_ACCURACY, BestBy, Direction, Metric

_USUAL: Final = {Metric.ACCURACY: Direction.MAX, Metric.LOSS: Direction.MIN}


@dataclass(frozen=True)
class RoundModel:
    """The parameters after a round, with the metrics of exactly these parameters."""

    round: int
    arrays: ArrayRecord
    loss: float | None
    accuracy: float | None


@dataclass(frozen=True)
class BestModel:
    """The library's model object with the parameters of the best round."""

    model: Any
    round: int
    rounds: int
    loss: float | None
    accuracy: float | None


def is_better(model: RoundModel, best: RoundModel | None, rule: BestBy = HIGHEST_ACCURACY) -> bool:
    """Return whether ``model`` is better than the ``best`` so far by a rule.

    Among equals the other metric decides: the lower loss, or the higher accuracy. NaN and infinity
    never win: a model with neither metric is never best, and a model with both metrics beats one
    that lacks one. The earlier of two equals stays.
    """
    if not any(_is_number(metric) for metric in (model.loss, model.accuracy)):
        return False
    return best is None or _rank(model, rule) > _rank(best, rule)


def _rank(model: RoundModel, rule: BestBy) -> tuple[bool, float, float]:
    metrics = {Metric.ACCURACY: model.accuracy, Metric.LOSS: model.loss}
    directions = {**_USUAL, rule.metric: rule.direction}
    goodness = {metric: _goodness(metrics[metric], directions[metric]) for metric in Metric}
    first = goodness.pop(rule.metric)
    (second,) = goodness.values()
    return math.isfinite(first) and math.isfinite(second), first, second


def _goodness(metric: float | None, direction: Direction) -> float:
    if not _is_number(metric):
        return -math.inf
    assert metric is not None  # noqa: S101 - for mypy
    return metric if direction is Direction.MAX else -metric


def _is_number(metric: float | None) -> bool:
    return metric is not None and math.isfinite(metric)
