"""What an actor logs, as it travels to the manager: batches of lines, written and read only here.

Batches are no events: they may be late or lost, and say so by the numbers of their lines.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from flops_contracts.envelope import MalformedMessageError
from flops_contracts.events import Actor
from flops_contracts.payloads import ActorSchema, MessageSchema
from flops_contracts.schemas import TupleOf

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""From the least severe to the most; any other word counts as INFO."""

LONGEST_MESSAGE: Final = 4000
"""Characters of a line, its traceback included; the rest is cut off."""

MOST_LINES: Final = 500
"""Lines of a batch."""


@dataclass(frozen=True)
class LogLine:
    """One record of a log. ``number`` counts from 1 in each process, also what is left out."""

    number: int
    at: datetime
    level: str
    logger: str
    message: str
    round: int | None = None
    trace_id: str = ""


@dataclass(frozen=True)
class LogBatch:
    """Lines of the process ``run`` of an actor; ``project_id`` is the mock's id on mock topics."""

    project_id: str
    actor: Actor
    run: str
    lines: tuple[LogLine, ...]


class LogLineSchema(MessageSchema):
    """See ``LogLine``."""

    builds = LogLine
    number = fields.Integer(required=True, validate=validate.Range(min=1))
    at = fields.AwareDateTime(required=True, format="iso")
    level = fields.String(required=True, validate=validate.Length(max=20))
    logger = fields.String(load_default="", validate=validate.Length(max=200))
    message = fields.String(required=True, validate=validate.Length(max=LONGEST_MESSAGE))
    round = fields.Integer(load_default=None, allow_none=True)
    trace_id = fields.String(load_default="", validate=validate.Length(max=64))


class LogBatchSchema(MessageSchema):
    """See ``LogBatch``."""

    builds = LogBatch
    project_id = fields.String(required=True, validate=validate.Length(min=1, max=64))
    actor = fields.Nested(ActorSchema, required=True)
    run = fields.String(required=True, validate=validate.Length(min=1, max=64))
    lines = TupleOf(
        fields.Nested(LogLineSchema),
        required=True,
        validate=validate.Length(min=1, max=MOST_LINES),
    )


def encode_logs(batch: LogBatch) -> bytes:
    """Return ``batch`` as UTF-8 JSON."""
    return json.dumps(document_from_batch(batch), sort_keys=True).encode()


def decode_logs(data: bytes) -> LogBatch:
    """Return the batch in ``data``; raise ``MalformedMessageError``."""
    try:
        return batch_from_document(json.loads(data))
    except ValueError as error:
        raise MalformedMessageError(f"not JSON: {error}") from error


def document_from_batch(batch: LogBatch) -> dict[str, Any]:
    """Return ``batch`` as a JSON-compatible dict."""
    document: dict[str, Any] = LogBatchSchema().dump(batch)
    return document


def batch_from_document(document: Any) -> LogBatch:
    """Return the batch in ``document``; raise ``MalformedMessageError``."""
    try:
        batch: LogBatch = LogBatchSchema().load(document)
    except ValidationError as error:
        raise MalformedMessageError(f"no log lines: {error.messages}") from error
    return batch


def severity(level: str) -> int:
    """Return the place of a level in ``LEVELS``."""
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("INFO")
