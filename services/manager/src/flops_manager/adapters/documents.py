"""Projects, mocks and commands as documents, and back. Times are ISO 8601 text in UTC."""

import typing
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from marshmallow import ValidationError

from flops_contracts.declared import dump, load
from flops_manager.domain.commands import Command
from flops_manager.domain.errors import UnreadableRecordError
from flops_manager.ports.stores import Pending, Record

T = TypeVar("T")

COMMANDS: Final[dict[str, type[Any]]] = {
    command.__name__: command for command in typing.get_args(Command)
}


def document_from_record(record: Record[Any]) -> dict[str, Any]:
    """Return the stored document: the subject, its version, and its outbox."""
    return {
        **dump(record.subject),
        "_id": record.subject.id,
        "version": record.version,
        "todo": [
            {"kind": type(each.command).__name__, "failures": each.failures, **dump(each.command)}
            for each in record.todo
        ],
    }


def record_from_document(document: Mapping[str, Any], kind: type[T]) -> Record[T]:
    """Return the record; raise ``UnreadableRecordError``."""
    try:
        return Record(
            subject=load(kind, dict(document)),
            version=document["version"],
            todo=tuple(
                Pending(load(COMMANDS[each["kind"]], each), each["failures"])
                for each in document["todo"]
            ),
        )
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise UnreadableRecordError(
            f"What is stored as {document.get('_id')} cannot be read: {error!r}"[:500],
            hint="It was written by another FLOps version or edited by hand. "
            "Repair or delete the document.",
        ) from error
