"""Logs of actors in MongoDB: a document per batch, numbered for each project or mock."""

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
        """Make numbers and batches unique, and finding old ones fast."""
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
        same = {key: document[key] for key in ("subject_id", "first")}
        same["batch.run"] = batch.run
        for _ in range(NUMBERING_ATTEMPTS):
            with translated():
                if self._logs.find_one(same, {"_id": 1}):
                    return False
                newest = self._logs.find_one(
                    {"subject_id": batch.project_id}, {"seq": 1}, sort=[("seq", DESCENDING)]
                )
                seq = int(newest["seq"]) + 1 if newest else 1
                try:
                    self._logs.insert_one({**document, "seq": seq})
                except DuplicateKeyError:
                    # Another writer took the number, or stored this very batch.
                    continue
                return True
        raise StaleProjectError(f"no free number for log lines of {batch.project_id}")

    def after(
        self, subject_id: str, seq: int, limit: int, actor: str = "", node: str = ""
    ) -> Sequence[StoredBatch]:
        """See the port."""
        later = {**_filter(subject_id, actor, node), "seq": {"$gt": seq}}
        with translated():
            documents = self._logs.find(later).sort("seq", ASCENDING).limit(limit)
            return [_stored(document) for document in documents]

    def newest(
        self, subject_id: str, limit: int, actor: str = "", node: str = ""
    ) -> Sequence[StoredBatch]:
        """See the port."""
        matching = _filter(subject_id, actor, node)
        with translated():
            documents = self._logs.find(matching).sort("seq", DESCENDING).limit(limit)
            return [_stored(document) for document in documents][::-1]

    def last_number(self, subject_id: str, run: str, before: int) -> int | None:
        """See the port."""
        earlier = {"subject_id": subject_id, "batch.run": run, "seq": {"$lt": before}}
        with translated():
            newest = self._logs.find_one(earlier, {"batch": 1}, sort=[("first", DESCENDING)])
        return batch_from_document(newest["batch"]).lines[-1].number if newest else None

    def trim(self, subject_id: str, most_characters: int) -> None:
        """See the port."""
        left = most_characters
        with translated():
            sizes = self._logs.find({"subject_id": subject_id}, {"seq": 1, "characters": 1})
            for size in sizes.sort("seq", DESCENDING):
                left -= size["characters"]
                if left < 0:
                    older = {"subject_id": subject_id, "seq": {"$lte": size["seq"]}}
                    self._logs.delete_many(older)
                    return

    def remove(self, subject_id: str) -> None:
        """See the port."""
        with translated():
            self._logs.delete_many({"subject_id": subject_id})

    def remove_before(self, at: datetime) -> None:
        """See the port."""
        with translated():
            self._logs.delete_many({"at": {"$lt": _text(at)}})


def _filter(subject_id: str, actor: str, node: str) -> dict[str, Any]:
    matching: dict[str, Any] = {"subject_id": subject_id}
    if actor:
        matching["$or"] = [{"batch.actor.instance": actor}, {"batch.actor.role": actor}]
    if node:
        matching["batch.actor.node"] = node
    return matching


def _stored(document: dict[str, Any]) -> StoredBatch:
    return StoredBatch(int(document["seq"]), batch_from_document(document["batch"]))


def _text(at: datetime) -> str:
    """Return a time as text in one format and zone, so that texts sort like times."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
