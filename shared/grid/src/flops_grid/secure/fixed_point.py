"""Updates as whole numbers modulo 2^32, so that sums of hidden ones are exact.

A number within plus and minus ``bound`` is told in steps of ``bound / steps_for(members)``: as fine
as the sum of all members leaves room for. The mean of n weighted updates is then off by at most
``n * bound / (2 * steps * total weight)``, beside what was cut to the bound.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flops_grid.secure.masks import Numbers

LARGEST: Final = 2**31 - 1


def steps_for(members: int) -> int:
    """Return in how many steps the bound is told, so that the sum of ``members`` fits."""
    return LARGEST // members


def to_steps(values: NDArray[Any], bound: float, weight: float, steps: int, into: Numbers) -> int:
    """Write ``values`` times ``weight`` into ``into``; return how many were cut to the bound."""
    cut = np.clip(values, -bound, bound, dtype=np.float64)
    count = int(np.count_nonzero(cut != values))
    into[...] = np.rint(cut * (weight * steps / bound)).astype(np.int64).astype(np.uint32)
    return count


def from_steps(numbers: Numbers, bound: float, steps: int) -> NDArray[np.float64]:
    """Return the values of a sum."""
    signed: NDArray[np.int32] = numbers.view(np.int32)
    return signed.astype(np.float64) * (bound / steps)
