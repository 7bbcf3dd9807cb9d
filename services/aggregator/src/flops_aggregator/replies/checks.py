"""Checks each reply before a strategy gets it: one bad reply must not end the training.

A strategy raises when replies differ in their arrays or metrics, so each reply is compared with the
parameters that were sent, and reduced to the records and metrics that every reply has.
"""

import math
from collections.abc import Iterable

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from flops_aggregator.replies.dtypes import summable
from flops_aggregator.replies.folding import Accumulator
from flops_contracts.exit_codes import ExitCode
from flops_grid.errors import LearnerError
from flops_grid.messages.flower_internals import (
    LEARNER_RAISED,
    message_with_metadata,
    metadata_values,
)
from flops_grid.messages.records import (
    ACCURACY,
    ARRAYS,
    EVALUATE_SECONDS,
    FIT_SECONDS,
    LOSS,
    METRICS,
    SAMPLES,
    array_view,
    arrays_of,
    metrics_in,
    pieces,
    record_of,
)
from flops_grid.secure.updates import SECURE
from flops_grid.updates.compression import COMPRESSION, decompressed

NUMERIC_KINDS = "biufc"


class _UnusableReply(Exception):  # noqa: N818 - it becomes a LearnerError
    """The reply cannot be used; the message says why."""


def checked_train_reply(
    reply: Message,
    sent: ArrayRecord | None,
    metrics: Iterable[str] = (),
    accumulator: Accumulator | None = None,
) -> Message:
    """Return the reply, or an error in its place if it cannot be averaged with ``sent``.

    It must have samples, training time and ``metrics``. ``accumulator`` takes a good reply's arrays
    out of it. With ``sent`` None it has keys of a secure aggregation instead of arrays.
    """
    checked = _checked(reply, (SAMPLES, FIT_SECONDS, *metrics), sent)
    return accumulator.take(checked) if accumulator and checked.has_content() else checked


def checked_evaluate_reply(reply: Message) -> Message:
    """Return the reply, or an error in its place without loss, accuracy and samples."""
    return _checked(reply, (SAMPLES, LOSS, ACCURACY, EVALUATE_SECONDS), None)


def metrics_of(reply: Message) -> dict[str, float]:
    """Return the numbers in a reply that was checked."""
    record = metrics_in(reply.content) or MetricRecord()
    return {key: float(value) for key, value in record.items() if isinstance(value, int | float)}


def _checked(reply: Message, metrics: tuple[str, ...], sent: ArrayRecord | None) -> Message:
    if reply.has_error():
        return reply
    try:
        content = RecordDict({METRICS: _metrics(reply, metrics)})
        if sent is not None:
            content[ARRAYS] = _arrays(reply, sent)
        elif SECURE in reply.content:
            content[SECURE] = reply.content[SECURE]
    except _UnusableReply as error:
        return unusable(reply, str(error))
    reply.content = content
    return reply


def as_reply(arrays: ArrayRecord, replies: Iterable[Message]) -> Message:
    """Return the mean ``arrays`` of ``replies`` as a reply, for a strategy that takes steps."""
    template = next(reply for reply in replies if reply.has_content())
    content = RecordDict({ARRAYS: arrays, METRICS: MetricRecord({SAMPLES: 1.0})})
    return message_with_metadata(content, metadata_values(template))


def unusable(reply: Message, reason: str) -> Message:
    """Return an error in the place of ``reply``."""
    problem = LearnerError(reason, "UnusableReply", exit_code=ExitCode.USER_CODE_FAILED)
    return message_with_metadata(Error(LEARNER_RAISED, problem.to_text()), metadata_values(reply))


def _metrics(reply: Message, required: tuple[str, ...]) -> MetricRecord:
    reported = metrics_in(reply.content) or MetricRecord()
    values = MetricRecord()
    for key in required:
        value = reported.get(key)
        if not isinstance(value, int | float):
            raise _UnusableReply(f"the reply has no numeric metric '{key}'")
        if key == SAMPLES and not (math.isfinite(value) and value > 0):
            raise _UnusableReply(f"the reply reports {value} samples; expected at least 1")
        values[key] = value
    return values


def _arrays(reply: Message, sent: ArrayRecord) -> ArrayRecord:
    trained = arrays_of(reply.content)
    if trained is None:
        raise _UnusableReply("the reply has no parameters")
    description = reply.content.get(COMPRESSION)
    if isinstance(description, ConfigRecord):
        try:
            trained = decompressed(trained, description, sent)
        except (TypeError, ValueError, EOFError) as error:
            raise _UnusableReply(str(error)) from error
    if len(trained) != len(sent) or set(trained) != set(sent):
        raise _UnusableReply(
            f"get_model_parameters returned {len(trained)} arrays after fit_model, not {len(sent)}"
        )
    for key, expected in sent.items():
        _check_array(key, trained[key], expected)
    # In the order in which they were sent: parameters are identified by their position.
    return record_of({key: summable(trained[key]) for key in sent})


def _check_array(key: str, trained: Array, expected: Array) -> None:
    try:
        values = array_view(trained)
    except (TypeError, ValueError, OSError, EOFError) as error:
        raise _UnusableReply(f"parameter {key} cannot be read: {error}") from error
    if values.dtype.kind not in NUMERIC_KINDS:
        raise _UnusableReply(f"parameter {key} has the type {values.dtype}, which is not numeric")
    if values.shape != tuple(expected.shape):
        shapes = f"{values.shape}, not {tuple(expected.shape)}"
        raise _UnusableReply(f"parameter {key} has the shape {shapes}, after fit_model")
    if not all(np.isfinite(piece).all() for piece in pieces(values)):
        raise _UnusableReply(f"parameter {key} contains NaN or infinity after fit_model")
