"""The mean of replies, taken as they arrive, so that none of them has to be kept.

For strategies whose average is a plain weighted mean. A small model's replies are averaged by
Flower when all are there, in the order of names, to the last bit alike in each run; here the order
of arrival decides on the last bit, and memory is one sum however many reply.
"""

from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, Message, RecordDict
from flwr.serverapp.strategy import FedAvg, FedProx, Strategy
from numpy.typing import NDArray

from flops_aggregator.dtypes import WHOLE_KINDS
from flops_grid.records import (
    METRICS,
    SAMPLES,
    EmptyArray,
    array_view,
    arrays_of,
    metrics_in,
    pieces,
)

FROM_BYTES: Final = 8 * 1024 * 1024
"""Models from this size on are folded."""


class Fold:
    """A weighted sum of arrays that are like those that were ``sent``."""

    def __init__(self, sent: ArrayRecord) -> None:
        self._sent = sent
        self._sums: dict[str, EmptyArray] = {}
        self._first: dict[str, NDArray[Any]] = {}
        self._differ: set[str] = set()
        self._weight = 0.0

    def take(self, reply: Message) -> Message:
        """Add a checked reply's arrays, and return the reply without them."""
        if not reply.has_content():
            return reply
        metrics, arrays = metrics_in(reply.content), arrays_of(reply.content)
        if metrics is not None and arrays is not None:
            self.add(float(metrics[SAMPLES]), arrays)  # type: ignore[arg-type] # it was checked
            reply.content = RecordDict({METRICS: metrics})
        return reply

    def add(self, weight: float, arrays: ArrayRecord) -> None:
        """Add arrays of this weight."""
        self._weight += weight
        for key, array in arrays.items():
            values = array_view(array)
            if key not in self._sums:
                self._sums[key] = EmptyArray(values.shape, _sum_type(values.dtype))
            _add(self._sums[key].values, values, weight)
            if values.dtype.kind in WHOLE_KINDS and key not in self._differ:
                first = self._first.setdefault(key, values.copy())
                if not np.array_equal(first, values):
                    self._differ.add(key)

    def mean(self) -> ArrayRecord:
        """Return the mean, whole numbers that all agree on as they are; the sum is used up."""
        found = ArrayRecord()
        for key in self._sent:
            summed = self._sums.pop(key)
            if key in self._first and key not in self._differ:
                found[key] = Array(self._first[key])
                continue
            values = summed.values
            np.multiply(values, 1 / self._weight, out=values)
            del values
            found[key] = summed.finished()
        return found


def fold_for(strategy: Strategy, sent: ArrayRecord, from_bytes: int = FROM_BYTES) -> Fold | None:
    """Return a fold for a round of ``strategy``, or None where all replies have to be there."""
    if type(strategy) not in (FedAvg, FedProx):
        return None
    return Fold(sent) if sum(len(one.data) for one in sent.values()) >= from_bytes else None


def _sum_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return in what the sum is kept: half precision and whole numbers in a wider type."""
    if dtype.kind in WHOLE_KINDS:
        return np.dtype(np.float64)
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def _add(total: NDArray[Any], values: NDArray[Any], weight: float) -> None:
    """Add in pieces, because a product of all the values would be as large as the model."""
    for summed, added in zip(pieces(total), pieces(values), strict=True):
        weighted = added.astype(total.dtype, copy=False) * total.dtype.type(weight)
        np.add(summed, weighted, out=summed)
