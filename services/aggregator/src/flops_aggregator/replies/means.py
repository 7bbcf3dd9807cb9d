"""Means of metrics."""

import math
from collections.abc import Iterable


def weighted_mean(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Return the mean of (value, weight) pairs; None without weight or with NaN or infinity.

    NaN is not left out, because the mean would describe a model that works for everybody.
    """
    listed = list(pairs)
    weight = math.fsum(weight for _, weight in listed)
    if weight <= 0:
        return None
    mean = math.fsum(value * weight for value, weight in listed) / weight
    return mean if math.isfinite(mean) else None
