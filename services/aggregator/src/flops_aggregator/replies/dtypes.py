"""Averages of parameters in the types of the model.

Strategies work on floating-point numbers; half precision is summed in single precision. Integers
and booleans are counters and flags, such as a batch norm's ``num_batches_tracked``: if all replies
agree on them they stay unchanged, else the strategy's result is rounded. A strategy that takes
steps of its own (Adam and the like) would not move them, so they become the rounded mean by
samples.
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
    """Return ``array`` in a type in which it can be summed: half precision as single."""
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
            key: _converted(
                array, original[key], _values_in(replies, original[key], key), takes_steps
            )
            for key, array in arrays.items()
        }
    )


def _values_in(
    replies: Sequence[Weighted], original: Array, key: str
) -> list[tuple[float, NDArray[Any]]]:
    """Return the replies' weights and values of a parameter of integers; none for other types."""
    if np.dtype(original.dtype).kind not in WHOLE_KINDS:
        return []
    return [(weight, arrays[key].numpy()) for weight, arrays in replies]


def _converted(
    mean: Array, original: Array, replied: list[tuple[float, NDArray[Any]]], takes_steps: bool
) -> Array:
    dtype = np.dtype(original.dtype)
    if replied and all(np.array_equal(array, replied[0][1]) for _, array in replied):
        values = replied[0][1]
    elif replied and takes_steps:
        total = sum(weight for weight, _ in replied)
        values = np.asarray(sum(array * (weight / total) for weight, array in replied))
    elif mean.dtype == original.dtype:
        return mean
    else:
        values = mean.numpy()
    return Array(_fitting(values, dtype).astype(dtype).reshape(original.shape))


def _fitting(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round and clip floating-point ``values`` that become integers of ``dtype``."""
    if dtype.kind not in WHOLE_KINDS or values.dtype.kind in WHOLE_KINDS:
        return values
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    # The greatest int64 has no double: the next one above it would wrap around.
    bound = np.nextafter(float(high), 0) if float(high) > high else float(high)
    return np.asarray(np.clip(np.rint(values), float(low), bound))
