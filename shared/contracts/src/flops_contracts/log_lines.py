"""An actor's log lines on their way to the manager: batches, written and read only here.

Batches are not events: they may be late or lost, and say so by the numbers of their lines.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from marshmallow import ValidationError

from flops_contracts.declared import about, declared, dump, load
from flops_contracts.envelope import MalformedMessageError, parsed
from flops_contracts.events import Actor

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""From the least severe to the most; any other word counts as INFO."""

LONGEST_MESSAGE: Final = 4000
"""Characters of a line, its traceback included; the rest is cut off."""

MOST_LINES: Final = 500
"""Lines of a batch."""


@dataclass(frozen=True)
class LoggedLine:
    """One record of a log."""

    at: datetime
    level: str = field(metadata=about(longest=20))
    logger: str = declared("", longest=200)
    message: str = declared("", longest=LONGEST_MESSAGE)
    round: int | None = None
    trace_id: str = declared("", longest=64)


@dataclass(frozen=True, kw_only=True)
class LogLine(LoggedLine):
    """A record on its way; ``number`` counts from 1 in each process, also what is left out."""

    number: int = field(metadata=about(minimum=1))


@dataclass(frozen=True)
class LogBatch:
    """Lines of the process ``run`` of an actor; ``project_id`` is the mock's id on mock topics."""

    project_id: str = field(metadata=about(shortest=1, longest=64))
    actor: Actor
    run: str = field(metadata=about(shortest=1, longest=64))
    lines: tuple[LogLine, ...] = field(metadata=about(shortest=1, longest=MOST_LINES))


def encode_logs(batch: LogBatch) -> bytes:
    """Return ``batch`` as UTF-8 JSON."""
    return json.dumps(document_from_batch(batch), sort_keys=True).encode()


def decode_logs(data: bytes) -> LogBatch:
    """Return the batch in ``data``; raise ``MalformedMessageError``."""
    return batch_from_document(parsed(data, LONGEST_MESSAGE))


def document_from_batch(batch: LogBatch) -> dict[str, Any]:
    """Return ``batch`` as a JSON-compatible dict."""
    return dump(batch)


def batch_from_document(document: Any) -> LogBatch:
    """Return the batch in ``document``; raise ``MalformedMessageError``."""
    try:
        return load(LogBatch, document)
    except ValidationError as error:
        raise MalformedMessageError(f"not log lines: {error.messages}") from error


def severity(level: str) -> int:
    """Return the place of a level in ``LEVELS``."""
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("INFO")
