"""Check what learners answer before a strategy sees it: one bad reply must not end the training.

A strategy raises when replies do not agree in their arrays or metrics, so each reply is compared
with what was sent, and cut down to what every reply has.
"""

import math
from collections.abc import Iterable

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from flops_aggregator.replies.dtypes import summable
from flops_aggregator.replies.folding import Gathering
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
    """What a reply lacks, as a sentence about the learner's answer."""


def checked_train_replies(
    replies: Iterable[Message],
    sent: ArrayRecord | None,
    *,
    also: Iterable[str] = (),
    gathering: Gathering | None = None,
) -> list[Message]:
    """Return the replies, those that cannot be averaged with ``sent`` turned into errors.

    Each has to have the metrics ``also``. With ``gathering`` the good ones are added to it as they
    come, and have no arrays any more. With ``sent`` None they have keys of a secure aggregation.
    """
    metrics = (SAMPLES, FIT_SECONDS, *also)
    take = gathering.take if gathering else _as_it_is
    return [take(_checked(reply, metrics, sent)) for reply in replies]


def checked_evaluate_replies(replies: Iterable[Message]) -> list[Message]:
    """Return the replies, those without loss, accuracy and samples turned into errors."""
    return [_checked(reply, (SAMPLES, LOSS, ACCURACY, EVALUATE_SECONDS), None) for reply in replies]


def _as_it_is(reply: Message) -> Message:
    return reply


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
    """Return what the good ones of ``replies`` came to as one, for a strategy that takes a step."""
    one = next(reply for reply in replies if reply.has_content())
    content = RecordDict({ARRAYS: arrays, METRICS: MetricRecord({SAMPLES: 1.0})})
    return message_with_metadata(content, metadata_values(one))


def unusable(reply: Message, why: str) -> Message:
    """Return an error in the place of a reply that is none."""
    problem = LearnerError(why, "UnusableReply", exit_code=ExitCode.USER_CODE_FAILED)
    return message_with_metadata(Error(LEARNER_RAISED, problem.to_text()), metadata_values(reply))


def _metrics(reply: Message, wanted: tuple[str, ...]) -> MetricRecord:
    found = metrics_in(reply.content) or MetricRecord()
    values = MetricRecord()
    for key in wanted:
        value = found.get(key)
        if not isinstance(value, int | float):
            raise _UnusableReply(f"the answer has no number {key}")
        if key == SAMPLES and not (math.isfinite(value) and value > 0):
            raise _UnusableReply(f"the answer is about {value} samples")
        values[key] = value
    return values


def _arrays(reply: Message, sent: ArrayRecord) -> ArrayRecord:
    found = arrays_of(reply.content)
    if found is None:
        raise _UnusableReply("the answer has no parameters")
    description = reply.content.get(COMPRESSION)
    if isinstance(description, ConfigRecord):
        try:
            found = decompressed(found, description, sent)
        except (TypeError, ValueError, EOFError) as error:
            raise _UnusableReply(str(error)) from error
    if len(found) != len(sent) or set(found) != set(sent):
        raise _UnusableReply(
            f"get_model_parameters returned {len(found)} arrays after fit_model, not {len(sent)}"
        )
    for key, expected in sent.items():
        _check_array(key, found[key], expected)
    # In the order that was sent, because parameters are known by their position.
    return record_of({key: summable(found[key]) for key in sent})


def _check_array(key: str, found: Array, expected: Array) -> None:
    try:
        values = array_view(found)
    except (TypeError, ValueError, OSError, EOFError) as error:
        raise _UnusableReply(f"parameter {key} cannot be read: {error}") from error
    if values.dtype.kind not in NUMERIC_KINDS:
        raise _UnusableReply(f"parameter {key} is of the type {values.dtype}, not of numbers")
    if values.shape != tuple(expected.shape):
        shapes = f"{values.shape}, not {tuple(expected.shape)}"
        raise _UnusableReply(f"parameter {key} has the shape {shapes}, after fit_model")
    if not all(np.isfinite(piece).all() for piece in pieces(values)):
        raise _UnusableReply(f"parameter {key} holds values that are no numbers after fit_model")
