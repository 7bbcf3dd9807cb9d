"""Clips updates to a norm and adds noise, for differential privacy (McMahan et al. 2018).

An update is the difference of the parameters from those that were sent. Its norm is over all
floating-point numbers; integers and booleans stay unchanged under privacy. The generator of the
noise is seeded by the operating system, so that a user's code, which may seed NumPy's, cannot
predict it.
"""

import math
import secrets
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message
from numpy.typing import NDArray

from flops_contracts.privacy import DifferentialPrivacy, delta_of_gaussian
from flops_grid.errors import BudgetSpentError, UserCodeError
from flops_grid.messages.file_memory import memory_for
from flops_grid.messages.records import (
    ARRAYS,
    INTERNAL,
    METRICS,
    EmptyArray,
    array_view,
    arrays_of,
    config_in,
    metrics_in,
    pieces,
    record_of,
)

NORM: Final = f"{INTERNAL}clipping-norm"
"""Key of the training config: clip the update to this norm before it is sent."""

WANTS_WITHIN: Final = f"{INTERNAL}wants-within"
"""Key of the training config: report whether the update was within the norm."""

WITHIN: Final = "within-norm"
"""Metric of a reply, if it was requested: 1 if the update was within the norm, else 0."""

TOLERANCE: Final = 1e-3
"""The relative excess of the norm that is allowed, because of rounding to the parameters' type."""

Draw = np.random.Generator


def secret_draw() -> Draw:
    """Return a generator with unpredictable numbers."""
    return np.random.Generator(np.random.Philox(key=secrets.randbits(128)))


def is_clipped(array: Array) -> bool:
    """Return whether an array has an update: whether it has floating-point numbers."""
    return np.dtype(array.dtype).kind == "f"


def update_norm(after: ArrayRecord, before: ArrayRecord) -> float:
    """Return the Euclidean norm of the difference of two records of the same shapes."""
    squares = 0.0
    for key, array in before.items():
        if is_clipped(array):
            both = zip(pieces(array_view(after[key])), pieces(array_view(array)), strict=True)
            squares += math.fsum(float(np.square(_difference(*pair)).sum()) for pair in both)
    return math.sqrt(squares)


def shortened(norm: float, bound: float) -> float:
    """Return the factor for an update of this norm so that its norm is at most the bound."""
    return min(1.0, bound / norm) if norm > 0 else 1.0


def moved(
    before: ArrayRecord, after: ArrayRecord, factor: float, spread: float, draw: Draw
) -> ArrayRecord:
    """Return ``before`` plus ``factor`` times the update plus noise of deviation ``spread``."""
    memory, arrays = memory_for(before), {}
    for key, array in before.items():
        if not is_clipped(array):
            arrays[key] = array
            continue
        old, new = array_view(array), array_view(after[key])
        whole = EmptyArray(old.shape, old.dtype, memory)
        for into, was, became in zip(pieces(whole.values), pieces(old), pieces(new), strict=True):
            change = _difference(became, was) * factor
            if spread:
                change += draw.standard_normal(change.shape) * spread
            np.add(was, change, out=into, casting="same_kind")
            del into
        arrays[key] = whole.finished()
    return record_of(arrays)


class PrivateUpdates:
    """For one learner: a mod of Flower's client app, inside the one that compresses.

    In the local model the learner's own settings apply, not the aggregator's config, and the
    learner itself keeps to its budget.
    """

    def __init__(
        self, private: DifferentialPrivacy | None = None, draw: Draw | None = None
    ) -> None:
        self._local = private if private and private.is_local else None
        self._draw = draw or secret_draw()
        self._releases = 0

    def __call__(
        self, message: Message, context: Context, answer: Callable[[Message, Context], Message]
    ) -> Message:
        """Return the reply of ``answer`` with a clipped update, and noise in the local model.

        Raises ``UserCodeError`` for other shapes, NaN or infinity, and ``BudgetSpentError``; then
        the update does not leave.
        """
        bound = self._bound(message)
        sent = arrays_of(message.content)
        if bound is None or sent is None:
            return answer(message, context)
        if self._local:
            self._spend(self._local)
        before = record_of(sent)
        reply = answer(message, context)
        trained = None if reply.has_error() else arrays_of(reply.content)
        if trained is None:
            return reply
        require_same_shapes(trained, before)
        norm = update_norm(trained, before)
        if not math.isfinite(norm):
            raise UserCodeError("the parameters contain NaN or infinity after fit_model")
        spread = self._local.noise_multiplier * bound if self._local else 0.0
        reply.content[ARRAYS] = moved(before, trained, shortened(norm, bound), spread, self._draw)
        metrics = metrics_in(reply.content)
        wants_within = config_in(message.content).get(WANTS_WITHIN)
        if wants_within and not self._local and metrics is not None:
            metrics[WITHIN] = float(norm <= bound)
            reply.content[METRICS] = metrics
        return reply

    def _bound(self, message: Message) -> float | None:
        if self._local:
            return self._local.clipping_norm
        norm = config_in(message.content).get(NORM)
        return norm if isinstance(norm, float) else None

    def _spend(self, local: DifferentialPrivacy) -> None:
        """Count an update with noise; n releases equal one with less noise (see ``accounting``)."""
        self._releases += 1
        multiplier = local.sensitivity_multiplier / math.sqrt(self._releases)
        if local.epsilon_budget > 0 and (
            delta_of_gaussian(local.epsilon_budget, multiplier) > local.delta
        ):
            self._releases -= 1
            raise BudgetSpentError(
                f"after {self._releases} rounds another one would spend more than the privacy "
                f"budget of {local.epsilon_budget:g}"
            )


def require_same_shapes(after: ArrayRecord, before: ArrayRecord) -> None:
    """Raise ``UserCodeError`` for records of different shapes."""
    shapes = [[tuple(array.shape) for array in record.values()] for record in (after, before)]
    if shapes[0] != shapes[1]:
        raise UserCodeError(
            "get_model_parameters returned other shapes after fit_model than before: "
            "what changed cannot be protected",
            where="get_model_parameters",
        )


def _difference(after: NDArray[Any], before: NDArray[Any]) -> NDArray[Any]:
    change: NDArray[Any] = np.subtract(after, before, dtype=np.float64)
    return change
