"""Averages of integers are no integers: give parameters the types back that the model has."""

from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray


def with_dtypes_of(arrays: ArrayRecord, original: ArrayRecord) -> ArrayRecord:
    """Return ``arrays`` in the types of ``original``; whole numbers and booleans are rounded."""
    return ArrayRecord({key: _converted(array, original[key]) for key, array in arrays.items()})


def _converted(array: Array, original: Array) -> Array:
    if array.dtype == original.dtype:
        return array
    values, dtype = array.numpy(), np.dtype(original.dtype)
    return Array(_rounded(values, dtype).astype(dtype).reshape(original.shape))


def _rounded(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.asarray(np.rint(values)) if dtype.kind in "biu" else values
