"""Compresses updates on the way up, with error feedback.

A client sends the difference of its parameters from those it was sent, each tensor as ``float16``
or ``int8`` times its own scale, rounded to the nearest. It adds the rounding error to its next
update, so that nothing is lost over the rounds: Seide et al. 2014, "1-Bit Stochastic Gradient
Descent and its Application to Data-Parallel Distributed Training of Speech DNNs"; Karimireddy et
al. 2019, "Error Feedback Fixes SignSGD and other Gradient Compression Schemes". Integers, booleans,
and types that are as small already are sent unchanged.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message
from numpy.typing import NDArray

from flops_grid.messages.file_memory import memory_for
from flops_grid.messages.records import (
    ARRAYS,
    INTERNAL,
    EmptyArray,
    array_view,
    arrays_of,
    config_in,
    pieces,
    record_of,
)

COMPRESSION: Final = f"{INTERNAL}compression"
"""Key of the training config: the type to send updates in; and the record that describes them."""

STEPS: Final = {"float16": 1.0, "int8": 127.0}
"""The types, and the value of a tensor's largest number in each."""


class CompressionError(ValueError):
    """The compressed update does not match the parameters that were sent."""


class Compression:
    """For one client: the outermost mod of Flower's client app, so that it sees what is sent.

    Without a request to compress, a client sends parameters. The rounding error is forgotten with
    the process and with a change of shape.
    """

    def __init__(self) -> None:
        self._rest: dict[str, NDArray[Any]] = {}

    def __call__(
        self, message: Message, context: Context, answer: Callable[[Message, Context], Message]
    ) -> Message:
        """Return the reply of ``answer``, compressed if the message asks for it."""
        kind, sent = config_in(message.content).get(COMPRESSION), arrays_of(message.content)
        if kind not in STEPS or sent is None:
            return answer(message, context)
        # A record of its own: ``answer`` may take the arrays out of the message's.
        before = record_of(sent)
        reply = answer(message, context)
        trained = None if reply.has_error() else arrays_of(reply.content)
        if trained is not None and _is_like(trained, before):
            self._compress(reply, trained, before, str(kind))
        return reply

    def _compress(
        self, reply: Message, trained: ArrayRecord, before: ArrayRecord, kind: str
    ) -> None:
        keys, scales, arrays = [], [], {}
        for key, array in trained.items():
            if not _shrinks(before[key], kind):
                arrays[key] = array
                continue
            update = self._update(key, array_view(array), array_view(before[key]))
            scale = float(np.abs(update).max(initial=0)) / STEPS[kind]
            if not math.isfinite(scale):
                # The aggregator reports NaN and infinity.
                return
            rounded = _rounded(update, scale, np.dtype(kind))
            update -= rounded.astype(update.dtype) * scale
            self._rest[key] = update
            keys.append(key)
            scales.append(scale)
            arrays[key] = Array(rounded)
        reply.content[ARRAYS] = record_of(arrays)
        reply.content[COMPRESSION] = ConfigRecord({"type": kind, "keys": keys, "scales": scales})

    def _update(self, key: str, after: NDArray[Any], before: NDArray[Any]) -> NDArray[Any]:
        # NumPy turns arrays without dimensions into scalars, which no ``out`` takes.
        update = np.asarray(np.subtract(after, before, dtype=_wide(before.dtype)))
        rest = self._rest.pop(key, None)
        if rest is not None and rest.shape == update.shape:
            update += rest
        return update


def decompressed(arrays: ArrayRecord, description: ConfigRecord, sent: ArrayRecord) -> ArrayRecord:
    """Return the parameters of a client that was sent ``sent``; raise ``CompressionError``."""
    kind, keys, scales = (description.get(key) for key in ("type", "keys", "scales"))
    if kind not in STEPS or not isinstance(keys, list) or not isinstance(scales, list):
        raise CompressionError("the compression of an update is unknown or malformed")
    if len(keys) != len(scales) or not all(
        isinstance(scale, float) and math.isfinite(scale) and scale >= 0 for scale in scales
    ):
        raise CompressionError("an update has no scale for each of its parameters")
    parameters, memory = dict(arrays.items()), memory_for(sent)
    for key, scale in zip(keys, scales, strict=True):
        if key not in parameters or key not in sent:
            raise CompressionError(f"an update has an unknown parameter {str(key)[:50]}")
        update, before = array_view(parameters[key]), array_view(sent[key])
        if update.dtype != np.dtype(str(kind)) or update.shape != before.shape:
            raise CompressionError(f"the update of parameter {key} has another shape or type")
        whole = EmptyArray(before.shape, before.dtype, memory)
        parts = zip(pieces(whole.values), pieces(before), pieces(update), strict=True)
        for into, old, change in parts:
            np.add(old, change.astype(_wide(old.dtype)) * scale, out=into, casting="same_kind")
            # It must not outlive the loop, which no pass sees for an empty array.
            del into
        del parts
        parameters[key] = whole.finished()
    return record_of(parameters)


def _rounded(update: NDArray[Any], scale: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    if scale == 0:
        return np.zeros(update.shape, dtype)
    scaled = np.asarray(update / update.dtype.type(scale))
    if dtype.kind == "i":
        np.rint(scaled, out=scaled)
    return np.asarray(scaled, dtype)


def _is_like(trained: ArrayRecord, before: ArrayRecord) -> bool:
    return list(trained) == list(before) and all(
        tuple(array.shape) == tuple(before[key].shape) and array.dtype == before[key].dtype
        for key, array in trained.items()
    )


def _shrinks(array: Array, kind: str) -> bool:
    """Return whether ``kind`` is smaller than the parameter's floating-point type."""
    dtype = np.dtype(array.dtype)
    return dtype.kind == "f" and dtype.itemsize > np.dtype(kind).itemsize


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type to compute in: at least single precision."""
    return np.promote_types(dtype, np.float32)
