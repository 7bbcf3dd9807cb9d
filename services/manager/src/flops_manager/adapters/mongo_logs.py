"""What actors log, in MongoDB: a document a batch, numbered for each project or mock."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from flops_contracts.log_lines import LogBatch, batch_from_document, document_from_batch
from flops_manager.adapters.mongo import NUMBERING_ATTEMPTS, MongoDatabase, translated
from flops_manager.domain.errors import StaleProjectError
from flops_manager.ports.logs import StoredBatch


class MongoLogStore:
    """``LogStore``; the identity of a batch is its process and the number of its first line."""

    def __init__(self, database: MongoDatabase) -> None:
        self._logs = database["logs"]

    def create_indexes(self) -> None:
        """Make numbers and batches unique, and old ones quick to find."""
        with translated():
            for keys in (("seq",), ("batch.run", "first")):
                fields = [("subject_id", ASCENDING), *((key, ASCENDING) for key in keys)]
                self._logs.create_index(fields, unique=True)
            self._logs.create_index([("at", ASCENDING)])

    def append(self, batch: LogBatch, at: datetime) -> bool:
        """See the port."""
        document = {
            "subject_id": batch.project_id,
            "first": batch.lines[0].number,
            "characters": sum(len(line.message) for line in batch.lines),
            "at": _text(at),
            "batch": document_from_batch(batch),
        }
        known = {key: document[key] for key in ("subject_id", "first")}
        known["batch.run"] = batch.run
        for _ in range(NUMBERING_ATTEMPTS):
            with translated():
                if self._logs.find_one(known, {"_id": 1}):
                    return False
                newest = self._logs.find_one(
                    {"subject_id": batch.project_id}, {"seq": 1}, sort=[("seq", DESCENDING)]
                )
                seq = int(newest["seq"]) + 1 if newest else 1
                try:
                    self._logs.insert_one({**document, "seq": seq})
                except DuplicateKeyError:
                    # Somebody else took the number, or stored this very batch.
                    continue
                return True
        raise StaleProjectError(f"no free number for log lines of {batch.project_id}")

    def after(
        self, subject_id: str, seq: int, limit: int, actor: str = "", node: str = ""
    ) -> Sequence[StoredBatch]:
        """See the port."""
        wanted = {**_wanted(subject_id, actor, node), "seq": {"$gt": seq}}
        with translated():
            found = tuple(self._logs.find(wanted).sort("seq", ASCENDING).limit(limit))
        return [_stored(one) for one in found]

    def newest(
        self, subject_id: str, limit: int, actor: str = "", node: str = ""
    ) -> Sequence[StoredBatch]:
        """See the port."""
        wanted = _wanted(subject_id, actor, node)
        with translated():
            found = tuple(self._logs.find(wanted).sort("seq", DESCENDING).limit(limit))
        return [_stored(one) for one in reversed(found)]

    def last_number(self, subject_id: str, run: str, before: int) -> int | None:
        """See the port."""
        wanted = {"subject_id": subject_id, "batch.run": run, "seq": {"$lt": before}}
        with translated():
            found = self._logs.find_one(wanted, {"batch": 1}, sort=[("first", DESCENDING)])
        return batch_from_document(found["batch"]).lines[-1].number if found else None

    def trim(self, subject_id: str, most_characters: int) -> None:
        """See the port."""
        left = most_characters
        with translated():
            sizes = self._logs.find({"subject_id": subject_id}, {"seq": 1, "characters": 1})
            for one in sizes.sort("seq", DESCENDING):
                left -= one["characters"]
                if left < 0:
                    beyond = {"subject_id": subject_id, "seq": {"$lte": one["seq"]}}
                    self._logs.delete_many(beyond)
                    return

    def remove(self, subject_id: str) -> None:
        """See the port."""
        with translated():
            self._logs.delete_many({"subject_id": subject_id})

    def remove_before(self, at: datetime) -> None:
        """See the port."""
        with translated():
            self._logs.delete_many({"at": {"$lt": _text(at)}})


def _wanted(subject_id: str, actor: str, node: str) -> dict[str, Any]:
    wanted: dict[str, Any] = {"subject_id": subject_id}
    if actor:
        wanted["$or"] = [{"batch.actor.instance": actor}, {"batch.actor.role": actor}]
    if node:
        wanted["batch.actor.node"] = node
    return wanted


def _stored(document: dict[str, Any]) -> StoredBatch:
    return StoredBatch(int(document["seq"]), batch_from_document(document["batch"]))


def _text(at: datetime) -> str:
    """Return a time as text of one format and zone, which sorts like the times."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
