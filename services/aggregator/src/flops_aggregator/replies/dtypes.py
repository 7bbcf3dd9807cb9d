"""Parameters of any type and shape through an average, in the types that the model has.

Floating-point numbers are what strategies are made for; half-precision ones are summed in single
precision. Whole numbers and booleans are counters and flags, such as a batch norm's
``num_batches_tracked``: what all replies agree on stays exactly that, else the strategy's result
is rounded. A strategy that takes steps of its own (Adam and the like) would leave them behind, so
there they are the mean weighted by samples, rounded.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from flops_grid.messages.records import record_of

WHOLE_KINDS: Final = "biu"
HALF: Final = np.dtype(np.float16)

Weighted = tuple[float, ArrayRecord]
"""A reply's weight and arrays."""


def summable(array: Array) -> Array:
    """Return ``array`` in a type that sums of it are exact enough in."""
    if np.dtype(array.dtype) != HALF:
        return array
    return Array(array.numpy().astype(np.float32))


def with_dtypes_of(
    arrays: ArrayRecord,
    original: ArrayRecord,
    replies: Sequence[Weighted] = (),
    *,
    takes_steps: bool = False,
) -> ArrayRecord:
    """Return a strategy's result ``arrays`` over ``replies`` in the types of ``original``."""
    return record_of(
        {
            key: _converted(array, original[key], _seen(replies, original[key], key), takes_steps)
            for key, array in arrays.items()
        }
    )


def _seen(
    replies: Sequence[Weighted], original: Array, key: str
) -> list[tuple[float, NDArray[Any]]]:
    """Return what the replies have for a parameter of whole numbers; nothing for another."""
    if np.dtype(original.dtype).kind not in WHOLE_KINDS:
        return []
    return [(weight, arrays[key].numpy()) for weight, arrays in replies]


def _converted(
    array: Array, original: Array, seen: list[tuple[float, NDArray[Any]]], takes_steps: bool
) -> Array:
    dtype = np.dtype(original.dtype)
    if seen and all(np.array_equal(one, seen[0][1]) for _, one in seen):
        values = seen[0][1]
    elif seen and takes_steps:
        total = sum(weight for weight, _ in seen)
        values = np.asarray(sum(one * (weight / total) for weight, one in seen))
    elif array.dtype == original.dtype:
        return array
    else:
        values = array.numpy()
    return Array(_fitting(values, dtype).astype(dtype).reshape(original.shape))


def _fitting(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round and bound floating-point ``values`` that are to become whole numbers."""
    if dtype.kind not in WHOLE_KINDS or values.dtype.kind in WHOLE_KINDS:
        return values
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    # The greatest int64 has no double: the next one above it would wrap around.
    bound = np.nextafter(float(high), 0) if float(high) > high else float(high)
    return np.asarray(np.clip(np.rint(values), float(low), bound))
