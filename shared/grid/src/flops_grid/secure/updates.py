"""Masks a learner's updates: a mod of Flower's client app, around its training.

The reply to a train message has metrics and public keys instead of parameters. The masked update
leaves when the aggregator requests it by the further messages of a secure aggregation. Integers and
booleans do not leave.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Any, Final

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from flops_contracts.privacy import Privacy
from flops_grid.errors import UserCodeError
from flops_grid.messages.file_memory import memory_for
from flops_grid.messages.records import (
    ARRAYS,
    INTERNAL,
    SAMPLES,
    EmptyArray,
    array_view,
    arrays_of,
    config_in,
    metrics_in,
    pieces,
    record_of,
)
from flops_grid.secure.client import RefusedError, SecureClient
from flops_grid.secure.fixed_point import steps_for, to_steps
from flops_grid.secure.graph import PublicKeys
from flops_grid.updates.clipping import is_clipped, require_same_shapes

SECURE: Final = f"{INTERNAL}secure"
"""The record for the keys and shares of a secure aggregation."""

SHARE: Final = "share_keys"
MASK: Final = "mask_update"
OPEN: Final = "open_shares"
"""Actions of the query messages, in this order."""


@dataclass
class _Pending:
    """A trained update that has not left: its samples, and the steps of its fixed-point numbers."""

    client: SecureClient
    before: ArrayRecord
    after: ArrayRecord
    samples: float
    steps: int = 0


class SecureUpdates:
    """For one learner; ``notice`` is called with what the user should know."""

    def __init__(self, privacy: Privacy, notice: Callable[[str], None]) -> None:
        self._promise = privacy.secure_aggregation
        private = privacy.differential_privacy
        self._has_equal_weights = private is not None
        self._bound = bound_of(privacy)
        self._notice = notice
        self._pending: _Pending | None = None

    def __call__(
        self, message: Message, context: Context, answer: Callable[[Message, Context], Message]
    ) -> Message:
        """Return the reply of ``answer`` with keys instead of parameters."""
        sent = arrays_of(message.content)
        if self._promise is None or sent is None:
            return answer(message, context)
        self._pending = None
        before = record_of(sent)
        reply = answer(message, context)
        trained = None if reply.has_error() else arrays_of(reply.content)
        metrics = None if reply.has_error() else metrics_in(reply.content)
        if trained is None or metrics is None:
            return reply
        _check(trained, before)
        client = SecureClient(self._promise.threshold)
        samples = metrics[SAMPLES]
        assert isinstance(samples, int | float)  # noqa: S101 - the learner counted them itself
        self._pending = _Pending(client, before, trained, samples)
        del reply.content[ARRAYS]
        keys = client.keys
        reply.content[SECURE] = ConfigRecord({"seal": keys.seal, "mask": keys.mask})
        return reply

    def register(self, app: ClientApp) -> None:
        """Make ``app`` reply to the further messages."""
        app.query(SHARE)(self._share)
        app.query(MASK)(self._mask)
        app.query(OPEN)(self._open)

    def _share(self, message: Message, _context: Context) -> Message:
        pending, config = self._request(message)
        keys = list(starmap(PublicKeys, zip(config["seals"], config["masks"], strict=True)))
        shares = pending.client.share(keys)
        pending.steps = steps_for(len(keys))
        return _reply(message, {"to": list(shares), "sealed": list(shares.values())})

    def _mask(self, message: Message, _context: Context) -> Message:
        pending, config = self._request(message)
        shares = dict(zip(config["by"], config["sealed"], strict=True))
        weight = 1.0 if self._has_equal_weights else pending.samples / config["largest"]
        if not 0 < weight <= 1:
            raise RefusedError(f"the weight of an update is {weight:g}, but must be in (0, 1]")
        update = self._fixed_point(pending, weight)
        pending.client.mask(shares, [array.values for array in update.values()])
        arrays = record_of({key: array.finished() for key, array in update.items()})
        # The update is not needed any more.
        pending.before, pending.after = ArrayRecord(), ArrayRecord()
        return Message(RecordDict({ARRAYS: arrays}), reply_to=message)

    def _open(self, message: Message, _context: Context) -> Message:
        pending, config = self._request(message)
        shares = pending.client.reveal(config["alive"])
        return _reply(message, {"of": list(shares), "shares": list(shares.values())})

    def _request(self, message: Message) -> tuple[_Pending, Mapping[str, Any]]:
        if self._pending is None:
            raise RefusedError("there is no update to mask")
        return self._pending, config_in(message.content)

    def _fixed_point(self, pending: _Pending, weight: float) -> dict[str, EmptyArray]:
        memory, update, clipped, size = memory_for(pending.before), {}, 0, 0
        for key, array in pending.before.items():
            if not is_clipped(array):
                continue
            old, new = array_view(array), array_view(pending.after[key])
            whole = EmptyArray(old.shape, np.dtype(np.uint32), memory)
            for into, was, became in zip(
                pieces(whole.values), pieces(old), pieces(new), strict=True
            ):
                change = np.subtract(became, was, dtype=np.float64)
                clipped += to_steps(change, self._bound, weight, pending.steps, into)
                size += change.size
                del into
            update[key] = whole
        if clipped:
            self._notice(
                f"{clipped} of {size} numbers of an update were clipped to the bound "
                f"{self._bound:g} of secure aggregation"
            )
        return update


def bound_of(privacy: Privacy) -> float:
    """Return the bound of each number of an update: none is above the clipping norm."""
    promise, private = privacy.secure_aggregation, privacy.differential_privacy
    if promise is None:
        return 0.0
    return min(promise.bound, private.clipping_norm) if private else promise.bound


def _check(trained: ArrayRecord, before: ArrayRecord) -> None:
    """Raise ``UserCodeError`` for other shapes, NaN or infinity."""
    require_same_shapes(trained, before)
    for array in trained.values():
        values = array_view(array)
        if values.dtype.kind == "f" and not all(
            np.isfinite(piece).all() for piece in pieces(values)
        ):
            raise UserCodeError("the parameters contain NaN or infinity after fit_model")


def _reply(message: Message, shares: dict[str, Any]) -> Message:
    return Message(RecordDict({SECURE: ConfigRecord(shares)}), reply_to=message)
