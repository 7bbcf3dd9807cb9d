"""Which round's model is the one to keep."""

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
    """What is published: the library's model object, and the round that it is from."""

    model: Any
    round: int
    rounds: int
    loss: float | None
    accuracy: float | None


def is_better(one: RoundModel, other: RoundModel | None, rule: BestBy = HIGHEST_ACCURACY) -> bool:
    """Say whether ``one`` replaces ``other`` by a rule, else by the higher accuracy.

    Among equals the other metric decides: the lower loss, or the higher accuracy. A metric that is
    no number never wins: without any, a model is never kept, and one with both beats one that
    lacks one. The earlier of two equals stays.
    """
    if not any(_is_number(metric) for metric in (one.loss, one.accuracy)):
        return False
    return other is None or _rank(one, rule) > _rank(other, rule)


def _rank(model: RoundModel, rule: BestBy) -> tuple[bool, float, float]:
    metrics = {Metric.ACCURACY: model.accuracy, Metric.LOSS: model.loss}
    directions = {**_USUAL, rule.metric: rule.direction}
    goodness = {one: _goodness(metrics[one], directions[one]) for one in Metric}
    first = goodness.pop(rule.metric)
    (second,) = goodness.values()
    return math.isfinite(first) and math.isfinite(second), first, second


def _goodness(metric: float | None, direction: Direction) -> float:
    if not _is_number(metric):
        return -math.inf
    assert metric is not None  # noqa: S101 - what _is_number says
    return metric if direction is Direction.MAX else -metric


def _is_number(metric: float | None) -> bool:
    return metric is not None and math.isfinite(metric)
