"""Updates as integers modulo 2^32, so that sums of masked updates are exact.

A number between ``-bound`` and ``bound`` becomes a multiple of ``bound / steps_for(clients)``, the
finest step for which the sum of all clients fits. The rounding error of the mean of n weighted
updates is at most ``n * bound / (2 * steps * total weight)``, besides clipping to the bound.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flops_grid.secure.masks import Numbers

LARGEST: Final = 2**31 - 1


def steps_for(clients: int) -> int:
    """Return the number of steps up to the bound for which a sum over ``clients`` fits."""
    return LARGEST // clients


def to_steps(values: NDArray[Any], bound: float, weight: float, steps: int, into: Numbers) -> int:
    """Write ``values`` times ``weight`` into ``into``; return how many were clipped."""
    clipped = np.clip(values, -bound, bound, dtype=np.float64)
    count = int(np.count_nonzero(clipped != values))
    into[...] = np.rint(clipped * (weight * steps / bound)).astype(np.int64).astype(np.uint32)
    return count


def from_steps(numbers: Numbers, bound: float, steps: int) -> NDArray[np.float64]:
    """Return the values of a sum of integers."""
    signed: NDArray[np.int32] = numbers.view(np.int32)
    return signed.astype(np.float64) * (bound / steps)
