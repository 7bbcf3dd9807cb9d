"""A learner's updates, hidden: around its training as a mod of Flower's client app.

The answer to a train message has the metrics and the keys of a member, and no parameters. These
leave when the aggregator asks for them by the further messages of a secure aggregation, hidden
among those of the others. Whole numbers and flags do not leave.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from flops_grid.secure.circle import PublicKeys
from flops_grid.secure.fixed_point import steps_for, to_steps
from flops_grid.secure.member import Member, RefusedError
from flops_grid.updates.clipping import is_clipped, require_same_shapes

SECURE: Final = f"{INTERNAL}secure"
"""The record with what members and their leader tell each other."""

SHARE: Final = "share_keys"
MASK: Final = "mask_update"
OPEN: Final = "open_shares"
"""Actions of the query messages, in their order."""


@dataclass
class _Pending:
    """A trained update that has not left: of how many samples, and in how many steps."""

    member: Member
    before: ArrayRecord
    after: ArrayRecord
    samples: float
    steps: int = 0


class SecureUpdates:
    """One learner's; ``notice`` is told what the user should know."""

    def __init__(self, privacy: Privacy, notice: Callable[[str], None]) -> None:
        self._promise = privacy.secure_aggregation
        private = privacy.differential_privacy
        self._counts_alike = private is not None
        self._bound = bound_of(privacy)
        self._notice = notice
        self._pending: _Pending | None = None

    def __call__(
        self, message: Message, context: Context, answer: Callable[[Message, Context], Message]
    ) -> Message:
        """Return the reply of ``answer`` with keys in the place of parameters."""
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
        member = Member(self._promise.threshold)
        samples = metrics[SAMPLES]
        assert isinstance(samples, int | float)  # noqa: S101 - the learner counted them itself
        self._pending = _Pending(member, before, trained, samples)
        del reply.content[ARRAYS]
        keys = member.keys
        reply.content[SECURE] = ConfigRecord({"seal": keys.seal, "mask": keys.mask})
        return reply

    def register(self, app: ClientApp) -> None:
        """Let ``app`` answer the further messages."""
        app.query(SHARE)(self._share)
        app.query(MASK)(self._mask)
        app.query(OPEN)(self._open)

    def _share(self, message: Message, _context: Context) -> Message:
        pending, told = self._asked(message)
        members = [PublicKeys(*both) for both in zip(told["seals"], told["masks"], strict=True)]
        sealed = pending.member.share(members)
        pending.steps = steps_for(len(members))
        return _reply(message, {"to": list(sealed), "sealed": list(sealed.values())})

    def _mask(self, message: Message, _context: Context) -> Message:
        pending, told = self._asked(message)
        sealed = dict(zip(told["by"], told["sealed"], strict=True))
        weight = 1.0 if self._counts_alike else pending.samples / told["largest"]
        if not 0 < weight <= 1:
            raise RefusedError(f"an update cannot have the weight {weight:g}")
        hidden = self._in_steps(pending, weight)
        pending.member.mask(sealed, [one.values for one in hidden.values()])
        arrays = record_of({key: one.finished() for key, one in hidden.items()})
        # Nothing of it is kept: the sum is the aggregator's.
        pending.before, pending.after = ArrayRecord(), ArrayRecord()
        return Message(RecordDict({ARRAYS: arrays}), reply_to=message)

    def _open(self, message: Message, _context: Context) -> Message:
        pending, told = self._asked(message)
        shares = pending.member.reveal(told["alive"])
        return _reply(message, {"of": list(shares), "shares": list(shares.values())})

    def _asked(self, message: Message) -> tuple[_Pending, Mapping[str, Any]]:
        if self._pending is None:
            raise RefusedError("there is no update to hide")
        return self._pending, config_in(message.content)

    def _in_steps(self, pending: _Pending, weight: float) -> dict[str, EmptyArray]:
        memory, found, cut, size = memory_for(pending.before), {}, 0, 0
        for key, array in pending.before.items():
            if not is_clipped(array):
                continue
            old, new = array_view(array), array_view(pending.after[key])
            hidden = EmptyArray(old.shape, np.dtype(np.uint32), memory)
            for into, was, became in zip(
                pieces(hidden.values), pieces(old), pieces(new), strict=True
            ):
                change = np.subtract(became, was, dtype=np.float64)
                cut += to_steps(change, self._bound, weight, pending.steps, into)
                size += change.size
                del into
            found[key] = hidden
        if cut:
            self._notice(
                f"{cut} of {size} numbers of an update were cut to the bound of {self._bound:g} of "
                "the secure aggregation"
            )
        return found


def bound_of(privacy: Privacy) -> float:
    """Return within what each number of an update is: no number is above its vector's norm."""
    promise, private = privacy.secure_aggregation, privacy.differential_privacy
    if promise is None:
        return 0.0
    return min(promise.bound, private.clipping_norm) if private else promise.bound


def _check(trained: ArrayRecord, before: ArrayRecord) -> None:
    """Raise ``UserCodeError`` if there is no telling what changed, or by how much."""
    require_same_shapes(trained, before)
    for array in trained.values():
        values = array_view(array)
        if values.dtype.kind == "f" and not all(np.isfinite(one).all() for one in pieces(values)):
            raise UserCodeError("the parameters hold values that are no numbers after fit_model")


def _reply(message: Message, told: dict[str, Any]) -> Message:
    return Message(RecordDict({SECURE: ConfigRecord(told)}), reply_to=message)
