"""The mean of clipped updates with Gaussian noise, computed as replies arrive.

All updates have equal weight: a weight by samples would let one learner move the mean further than
the noise hides (McMahan et al. 2018, "Learning Differentially Private Recurrent Language Models").
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, Message, RecordDict

from flops_aggregator.replies.checks import unusable
from flops_grid.messages.file_memory import let_go, memory_for
from flops_grid.messages.records import (
    METRICS,
    EmptyArray,
    array_view,
    arrays_of,
    metrics_in,
    pieces,
    record_of,
)
from flops_grid.updates.clipping import (
    TOLERANCE,
    WITHIN,
    Draw,
    is_clipped,
    shortened,
    update_norm,
)


class PrivateMean:
    """For updates of ``sent``, clipped to the norm ``bound``, with noise ``multiplier * bound``.

    ``count`` is the number of updates, ``within`` the number of those that were within the norm.
    """

    left_out: Final[Mapping[str, str]] = {}

    def __init__(
        self,
        sent: ArrayRecord,
        bound: float,
        multiplier: float,
        draw: Draw,
        *,
        is_clipped_by_learners: bool,
    ) -> None:
        self._sent = sent
        self._bound = bound
        self._multiplier = multiplier
        self._draw = draw
        self._trusts = is_clipped_by_learners
        memory = memory_for(sent)
        self._sums = {
            key: EmptyArray(tuple(array.shape), _wide(array), memory)
            for key, array in sent.items()
            if is_clipped(array)
        }
        self.count = 0
        self.within = 0

    def take(self, reply: Message) -> Message:
        """Add a good reply's update, and return the reply without it, or an error."""
        metrics, arrays = metrics_in(reply.content), arrays_of(reply.content)
        if metrics is None or arrays is None:
            return reply
        norm = update_norm(arrays, self._sent)
        if self._trusts and norm > self._bound * (1 + TOLERANCE):
            return unusable(reply, f"the update has the norm {norm:g}, above {self._bound:g}")
        self._add(arrays, shortened(norm, self._bound))
        is_within = metrics.pop(WITHIN, None)
        self.count += 1
        self.within += bool(is_within) if self._trusts else norm <= self._bound
        reply.content = RecordDict({METRICS: metrics})
        let_go(self._sent)
        return reply

    def mean(self) -> ArrayRecord:
        """Return the sent parameters plus the mean update plus noise; the sum is used up."""
        mean: dict[str, Array] = {}
        spread = self._multiplier * self._bound
        for key, array in self._sent.items():
            if not is_clipped(array):
                mean[key] = array
                continue
            summed = self._sums.pop(key)
            for total, before in zip(pieces(summed.values), pieces(array_view(array)), strict=True):
                noisy = total + self._draw.standard_normal(total.shape) * spread
                total[...] = before + noisy / self.count
                del total
            mean[key] = summed.finished()
        return record_of(mean)

    def _add(self, arrays: ArrayRecord, factor: float) -> None:
        for key, summed in self._sums.items():
            after, before = array_view(arrays[key]), array_view(self._sent[key])
            for total, new, old in zip(
                pieces(summed.values), pieces(after), pieces(before), strict=True
            ):
                change = (new - old) * total.dtype.type(factor)
                np.add(total, change, out=total, casting="same_kind")


def _wide(array: Array) -> np.dtype[Any]:
    """Return the type of the sum: single precision for half precision."""
    return np.promote_types(array.dtype, np.float32)
