"""The mean of replies, computed as they arrive, so that no reply has to be kept.

For strategies whose average is a plain weighted mean. Flower averages the replies of a small model
when all have arrived, in the order of names, so that runs are equal to the last bit. Here the last
bit depends on the order of arrival, and memory holds one sum, however many clients reply.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
from flwr.app import Array, ArrayRecord, Message, RecordDict
from flwr.serverapp.strategy import FedAvg, FedProx, Strategy
from numpy.typing import NDArray

from flops_aggregator.replies.dtypes import WHOLE_KINDS
from flops_grid.messages.file_memory import FileMemory, let_go, memory_for
from flops_grid.messages.records import (
    METRICS,
    SAMPLES,
    EmptyArray,
    array_view,
    arrays_of,
    metrics_in,
    pieces,
)

FROM_BYTES: Final = 8 * 1024 * 1024
"""Models of this size or larger are folded."""

BLOCK: Final = 16
"""This many replies make one sum, this many sums the next larger one, and so on.

Each addition in single precision has a relative error of up to 6e-8. With blocks, each number of
the mean results from 20 additions for 64 replies, and from 36 for 1,000 (Higham 1993, "The accuracy
of floating point summation": the error bound of blocked summation).
"""


class Accumulator(Protocol):
    """Takes the arrays of replies as they come, and keeps no reply."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """The clients that replied but are missing in the mean, each with the reason."""

    def take(self, reply: Message) -> Message:
        """Add a good reply's arrays, and return the reply without them, or an error."""

    def mean(self) -> ArrayRecord:
        """Return the mean of the round's replies; call it once."""


class Fold:
    """Sums arrays with the shapes and types of ``sent``, weighted by samples."""

    left_out: Final[Mapping[str, str]] = {}

    def __init__(self, sent: ArrayRecord) -> None:
        self._sent = sent
        self._sums: list[_Sum] = []
        self._first: dict[str, NDArray[Any]] = {}
        self._differ: set[str] = set()
        self._weight = 0.0

    def take(self, reply: Message) -> Message:
        """Add a good reply's arrays, and return the reply without them, or an error."""
        metrics, arrays = metrics_in(reply.content), arrays_of(reply.content)
        if metrics is not None and arrays is not None:
            self.add(float(metrics[SAMPLES]), arrays)  # type: ignore[arg-type] # it was checked
            reply.content = RecordDict({METRICS: metrics})
        # The reply is out of memory by now: two sums are in it at once here.
        del arrays
        self._carry()
        return reply

    def add(self, weight: float, arrays: ArrayRecord) -> None:
        """Add arrays with a weight; ``take`` keeps the sums balanced."""
        self._weight += weight
        # Most clients have received it by now: it need not stay in memory.
        let_go(self._sent)
        values = {key: array_view(array) for key, array in arrays.items()}
        self._compare(values)
        self._sum_of(0).add(weight, values)

    def mean(self) -> ArrayRecord:
        """Return the mean, with integers unchanged that all agree on; the sums are used up."""
        while len(self._sums) > 1:
            smallest = self._sums.pop(0)
            self._sums[0].add(1.0, smallest.values)
        total, mean = self._sums.pop().arrays, ArrayRecord()
        for key in self._sent:
            summed = total.pop(key)
            if key in self._first and key not in self._differ:
                mean[key] = Array(self._first[key])
                continue
            values = summed.values
            np.multiply(values, 1 / self._weight, out=values)
            del values
            mean[key] = summed.finished()
        return mean

    def _sum_of(self, size: int) -> "_Sum":
        if size == len(self._sums):
            self._sums.append(_Sum(memory_for(self._sent)))
        return self._sums[size]

    def _carry(self) -> None:
        """Add each full sum to the next larger one."""
        size = 0
        while size < len(self._sums) and self._sums[size].count >= BLOCK:
            full, larger = self._sums[size], self._sum_of(size + 1)
            larger.add(1.0, full.values)
            larger.memory.let_go()
            self._sums[size] = _Sum(memory_for(self._sent))
            size += 1

    def _compare(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Note which integer arrays differ between replies."""
        for key, array in values.items():
            if array.dtype.kind not in WHOLE_KINDS or key in self._differ:
                continue
            if not np.array_equal(self._first.setdefault(key, array.copy()), array):
                self._differ.add(key)


class _Sum:
    """The sum of ``count`` additions."""

    def __init__(self, memory: FileMemory) -> None:
        self.memory = memory
        self.arrays: dict[str, EmptyArray] = {}
        self.count = 0

    @property
    def values(self) -> dict[str, NDArray[Any]]:
        return {key: array.values for key, array in self.arrays.items()}

    def add(self, weight: float, values: Mapping[str, NDArray[Any]]) -> None:
        self.count += 1
        for key, array in values.items():
            if key not in self.arrays:
                self.arrays[key] = EmptyArray(array.shape, _sum_type(array.dtype), self.memory)
            _add(self.arrays[key].values, array, weight)


def is_large(arrays: ArrayRecord, from_bytes: int = FROM_BYTES) -> bool:
    """Return whether arrays have ``from_bytes`` or more, so that copies of them matter."""
    return sum(len(array.data) for array in arrays.values()) >= from_bytes


def fold_for(strategy: Strategy, sent: ArrayRecord, from_bytes: int = FROM_BYTES) -> Fold | None:
    """Return a fold for a round of ``strategy``, or None if it needs all replies at once."""
    if type(strategy) not in (FedAvg, FedProx):
        return None
    return Fold(sent) if is_large(sent, from_bytes) else None


def _sum_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the sum: a wider one for half precision and integers."""
    if dtype.kind in WHOLE_KINDS:
        return np.dtype(np.float64)
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def _add(total: NDArray[Any], values: NDArray[Any], weight: float) -> None:
    """Add piece by piece: a product of all values would be as large as the model."""
    for summed, added in zip(pieces(total), pieces(values), strict=True):
        weighted = added.astype(total.dtype, copy=False) * total.dtype.type(weight)
        np.add(summed, weighted, out=summed)
