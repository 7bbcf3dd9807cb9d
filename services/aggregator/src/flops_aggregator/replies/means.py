"""Numbers over several learners."""

import math
from collections.abc import Iterable


def weighted_mean(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Return the mean of (value, weight) pairs; None without weight or with a value that is none.

    One learner's NaN is not left out: the mean would tell of a model that works everywhere.
    """
    known = list(pairs)
    weight = math.fsum(weight for _, weight in known)
    if weight <= 0:
        return None
    mean = math.fsum(value * weight for value, weight in known) / weight
    return mean if math.isfinite(mean) else None
