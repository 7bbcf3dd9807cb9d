"""The mean of replies, taken as they arrive, so that none of them has to be kept.

For strategies whose average is a plain weighted mean. A small model's replies are averaged by
Flower when all are there, in the order of names, to the last bit alike in each run; here the order
of arrival decides on the last bit, and memory is one sum however many reply.
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
"""Models from this size on are folded."""


BLOCK: Final = 16
"""So many replies make one sum, so many sums the next larger one, and so on.

Each addition in single precision may be wrong by 6e-8 of its result; this way a number of the mean
has seen 20 of them with 64 replies, and 36 with 1,000 (Higham 1993, "The accuracy of floating point
summation": the error bound of blocked summation).
"""


class Gathering(Protocol):
    """Takes replies as they come, and keeps none of them."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """Who answered, and yet is missing in the mean or had to be done without, and why."""

    def take(self, reply: Message) -> Message:
        """Add a checked reply's arrays, and return the reply without them."""

    def mean(self) -> ArrayRecord:
        """Return what the round's replies come to, once."""


class Fold:
    """A weighted sum of arrays that are like those that were ``sent``."""

    left_out: Final[Mapping[str, str]] = {}

    def __init__(self, sent: ArrayRecord) -> None:
        self._sent = sent
        self._sums: list[_Sum] = []
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
        # When the reply is out of memory: here are two sums at once.
        del arrays
        self._carry()
        return reply

    def add(self, weight: float, arrays: ArrayRecord) -> None:
        """Add arrays of this weight; ``take`` keeps the sums even."""
        self._weight += weight
        # Most clients have got it by now: it need not be in memory beside the sum and a reply.
        let_go(self._sent)
        values = {key: array_view(array) for key, array in arrays.items()}
        self._compare(values)
        self._sum_of(0).add(weight, values)

    def mean(self) -> ArrayRecord:
        """Return the mean, whole numbers that all agree on as they are; the sums are used up."""
        while len(self._sums) > 1:
            smallest = self._sums.pop(0)
            self._sums[0].add(1.0, smallest.values)
        total, found = self._sums.pop().arrays, ArrayRecord()
        for key in self._sent:
            summed = total.pop(key)
            if key in self._first and key not in self._differ:
                found[key] = Array(self._first[key])
                continue
            values = summed.values
            np.multiply(values, 1 / self._weight, out=values)
            del values
            found[key] = summed.finished()
        return found

    def _sum_of(self, size: int) -> "_Sum":
        if size == len(self._sums):
            self._sums.append(_Sum(memory_for(self._sent)))
        return self._sums[size]

    def _carry(self) -> None:
        """Add each sum that is full to the next larger one."""
        size = 0
        while size < len(self._sums) and self._sums[size].count >= BLOCK:
            full, larger = self._sums[size], self._sum_of(size + 1)
            larger.add(1.0, full.values)
            larger.memory.let_go()
            self._sums[size] = _Sum(memory_for(self._sent))
            size += 1

    def _compare(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Note which whole numbers are not the same in all replies."""
        for key, one in values.items():
            if one.dtype.kind not in WHOLE_KINDS or key in self._differ:
                continue
            if not np.array_equal(self._first.setdefault(key, one.copy()), one):
                self._differ.add(key)


class _Sum:
    """What ``count`` additions came to."""

    def __init__(self, memory: FileMemory) -> None:
        self.memory = memory
        self.arrays: dict[str, EmptyArray] = {}
        self.count = 0

    @property
    def values(self) -> dict[str, NDArray[Any]]:
        return {key: one.values for key, one in self.arrays.items()}

    def add(self, weight: float, values: Mapping[str, NDArray[Any]]) -> None:
        self.count += 1
        for key, one in values.items():
            if key not in self.arrays:
                self.arrays[key] = EmptyArray(one.shape, _sum_type(one.dtype), self.memory)
            _add(self.arrays[key].values, one, weight)


def is_large(arrays: ArrayRecord, from_bytes: int = FROM_BYTES) -> bool:
    """Say whether it matters how many models of this size are in memory."""
    return sum(len(one.data) for one in arrays.values()) >= from_bytes


def fold_for(strategy: Strategy, sent: ArrayRecord, from_bytes: int = FROM_BYTES) -> Fold | None:
    """Return a fold for a round of ``strategy``, or None where all replies have to be there."""
    if type(strategy) not in (FedAvg, FedProx):
        return None
    return Fold(sent) if is_large(sent, from_bytes) else None


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
