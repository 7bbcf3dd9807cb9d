"""Updates of bounded norm, with noise where it is asked for: what keeps a learner's data its own.

An update is how parameters differ from those that were sent. Its norm is over all numbers with a
fraction; whole numbers and flags have no update under privacy, they stay what they were. Noise is
drawn from a generator that starts from the operating system's randomness, so that a user's code,
which may seed NumPy's, cannot make it known.
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
"""Key of the training config: shorten the update to this norm before it is sent."""

WANTS_WITHIN: Final = f"{INTERNAL}wants-within"
"""Key of the training config: tell whether there was something to shorten."""

WITHIN: Final = "within-norm"
"""Metric of a reply to whom wants that: 1 if there was nothing to shorten, else 0."""

TOLERANCE: Final = 1e-3
"""By what part a shortened update may exceed its norm: it was rounded to the parameters' type."""

Draw = np.random.Generator


def secret_draw() -> Draw:
    """Return a generator whose numbers nobody can foresee."""
    return np.random.Generator(np.random.Philox(key=secrets.randbits(128)))


def is_clipped(array: Array) -> bool:
    """Say whether an array has an update: whether it is of numbers with a fraction."""
    return np.dtype(array.dtype).kind == "f"


def update_norm(after: ArrayRecord, before: ArrayRecord) -> float:
    """Return the Euclidean norm of the difference of two records of the same shapes."""
    squares = 0.0
    for key, array in before.items():
        if is_clipped(array):
            both = zip(pieces(array_view(after[key])), pieces(array_view(array)), strict=True)
            squares += math.fsum(float(np.square(_difference(*one)).sum()) for one in both)
    return math.sqrt(squares)


def shortened(norm: float, bound: float) -> float:
    """Return by what to multiply an update of this norm so that it has at most the bound."""
    return min(1.0, bound / norm) if norm > 0 else 1.0


def moved(
    before: ArrayRecord, after: ArrayRecord, factor: float, spread: float, draw: Draw
) -> ArrayRecord:
    """Return ``before`` plus ``factor`` times the update plus noise of deviation ``spread``."""
    memory, found = memory_for(before), {}
    for key, array in before.items():
        if not is_clipped(array):
            found[key] = array
            continue
        old, new = array_view(array), array_view(after[key])
        whole = EmptyArray(old.shape, old.dtype, memory)
        for into, was, became in zip(pieces(whole.values), pieces(old), pieces(new), strict=True):
            change = _difference(became, was) * factor
            if spread:
                change += draw.standard_normal(change.shape) * spread
            np.add(was, change, out=into, casting="same_kind")
            del into
        found[key] = whole.finished()
    return record_of(found)


class PrivateUpdates:
    """One learner's, as a mod of Flower's client app, inside the one that compresses.

    In the local model the learner's own settings count, not what an aggregator asks for, and the
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
        """Return the reply of ``answer`` with its update shortened, and noisy if that is asked.

        Raises ``UserCodeError`` for an update that cannot be, and ``BudgetSpentError``: it does not
        leave.
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
        asked = config_in(message.content).get(NORM)
        return asked if isinstance(asked, float) else None

    def _spend(self, local: DifferentialPrivacy) -> None:
        """Count an update with noise; so many of them are like one with less: see the ledger."""
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
    """Raise ``UserCodeError`` if there is no telling what changed."""
    shapes = [[tuple(one.shape) for one in record.values()] for record in (after, before)]
    if shapes[0] != shapes[1]:
        raise UserCodeError(
            "get_model_parameters returned other shapes after fit_model than before: "
            "what changed cannot be protected",
            where="get_model_parameters",
        )


def _difference(after: NDArray[Any], before: NDArray[Any]) -> NDArray[Any]:
    change: NDArray[Any] = np.subtract(after, before, dtype=np.float64)
    return change
