"""Which round's model is the one to keep."""

import math
from dataclasses import dataclass

from flwr.app import ArrayRecord


@dataclass(frozen=True)
class RoundModel:
    """The parameters after a round, with the metrics of exactly these parameters."""

    round: int
    arrays: ArrayRecord
    loss: float | None
    accuracy: float | None


def is_better(one: RoundModel, other: RoundModel | None) -> bool:
    """Say whether ``one`` replaces ``other``: higher accuracy, or the same with a lower loss.

    A metric that is no number never wins: without any, a model is never kept, and one with both
    beats one that lacks one. The earlier of two equals stays.
    """
    if not any(_is_number(metric) for metric in (one.loss, one.accuracy)):
        return False
    return other is None or _rank(one) > _rank(other)


def _rank(model: RoundModel) -> tuple[bool, float, float]:
    accuracy = _or_worst(model.accuracy)
    loss = _or_worst(None if model.loss is None else -model.loss)
    return math.isfinite(accuracy) and math.isfinite(loss), accuracy, loss


def _or_worst(metric: float | None) -> float:
    return metric if metric is not None and math.isfinite(metric) else -math.inf


def _is_number(metric: float | None) -> bool:
    return metric is not None and math.isfinite(metric)
