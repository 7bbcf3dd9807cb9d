"""The stores and leases in MongoDB. A project and its outbox are one document, so one write."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from bson.errors import BSONError
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.database import Database
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, PyMongoError

from flops_contracts.envelope import document_from_event
from flops_contracts.events import Event
from flops_contracts.roles import Stage
from flops_contracts.text import storable
from flops_manager.adapters.documents import document_from_record, record_from_document
from flops_manager.domain.errors import (
    AlreadyExistsError,
    RecordTooLargeError,
    StaleProjectError,
    StoreUnavailableError,
    SubjectNotFoundError,
    UnreadableRecordError,
    UnstorableError,
)
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project
from flops_manager.domain.queue import Brief
from flops_manager.domain.subjects import Subject
from flops_manager.ports.stores import Record, StoredEvent

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=Subject)

MongoDatabase = Database[dict[str, Any]]

TIMEOUT_SECONDS: Final = 10.0
NUMBERING_ATTEMPTS: Final = 20
_FINAL: Final = [str(stage) for stage in Stage if stage.is_final]
"""The final stages of projects and of mocks have the same names."""


def connect(url: str, name: str = "flops") -> MongoDatabase:
    """Return the database; nothing is sent before the first call."""
    milliseconds = int(TIMEOUT_SECONDS * 1000)
    client: MongoClient[dict[str, Any]] = MongoClient(
        url,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds,
        connect=False,
        appname="flops-manager",
    )
    return client.get_default_database(name)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the manager's."""
    try:
        yield
    except DocumentTooLarge as error:
        raise RecordTooLargeError(
            f"The document is too large for the database: {str(error)[:300]}",
            hint="This is a bug in FLOps, which bounds the size of a project's record.",
        ) from error
    except (BSONError, OverflowError, UnicodeError) as error:
        raise UnstorableError(
            f"The database takes no record with such a value: {storable(str(error), 300)}",
            hint="This is a bug in FLOps, which repairs or refuses such values where they come in.",
        ) from error
    except PyMongoError as error:
        raise StoreUnavailableError(
            f"The database does not answer: {str(error)[:300]}",
            hint="Check FLOPS_MONGO_URL, and that MongoDB runs.",
        ) from error


class MongoRecords(Generic[S]):
    """A store of projects or mocks, whatever ``kind`` is."""

    def __init__(
        self,
        database: MongoDatabase,
        collection: str,
        kind: type[S],
    ) -> None:
        self._collection = database[collection]
        self._kind = kind

    def create_indexes(self) -> None:
        """Make the usual queries fast; existing indexes stay."""
        with translated():
            self._collection.create_index([("owner", ASCENDING), ("created_at", DESCENDING)])
            self._collection.create_index([("stage", ASCENDING)])
            self._collection.create_index([("updated_at", ASCENDING)])
            self._collection.create_index([("todo.kind", ASCENDING)], sparse=True)

    def add(self, record: Record[S]) -> None:
        """Store a new one; raise ``AlreadyExistsError`` if its id is taken."""
        document = document_from_record(record)
        with translated():
            try:
                self._collection.insert_one(document)
            except DuplicateKeyError as error:
                raise AlreadyExistsError(f"{document['_id']} exists already.") from error

    def get(self, subject_id: str) -> Record[S]:
        """Return what is stored."""
        with translated():
            document = self._collection.find_one({"_id": subject_id})
        if document is None:
            raise SubjectNotFoundError.of(self._kind.noun, subject_id)
        return record_from_document(document, self._kind)

    def save(self, record: Record[S]) -> None:
        """Replace what is stored, one version up, or raise ``StaleProjectError``."""
        document = document_from_record(record)
        document["version"] = record.version + 1
        current = {"_id": document["_id"], "version": record.version}
        with translated():
            result = self._collection.replace_one(current, document)
        if result.matched_count == 0:
            raise StaleProjectError(f"{document['_id']} was changed in between.")

    def remove(self, subject_id: str) -> None:
        """Delete what is stored, if there is anything."""
        with translated():
            self._collection.delete_one({"_id": subject_id})

    def list(
        self, customer_id: str | None, stage: str | None, skip: int, limit: int
    ) -> tuple[Sequence[S], int]:
        """Return a part of what is stored, newest first, and how many there are in all."""
        matching: dict[str, Any] = {"is_deleted": False}
        if customer_id is not None:
            matching["owner"] = customer_id
        if stage is not None:
            matching["stage"] = str(stage)
        with translated():
            total = self._collection.count_documents(matching)
            newest_first = [("created_at", DESCENDING), ("_id", DESCENDING)]
            page = self._collection.find(matching).sort(newest_first).skip(skip).limit(limit)
            documents = tuple(page) if limit > 0 else ()
        return tuple(self._readable(documents)), total

    def busy(self) -> Sequence[str]:
        """Return the ids of those whose outbox is not empty."""
        with translated():
            documents = self._collection.find({"todo.kind": {"$exists": True}}, {"_id": 1})
            return [str(document["_id"]) for document in documents]

    def active(self, ended_after: datetime) -> Sequence[S]:
        """Return those that have not ended, or only recently."""
        # Times are stored as text in one format and zone, which sorts like the times.
        ended_later = {"updated_at": {"$gt": ended_after.astimezone(UTC).isoformat()}}
        with translated():
            going_on = {"stage": {"$nin": _FINAL}}
            documents = tuple(self._collection.find({"$or": [going_on, ended_later]}))
        return list(self._readable(documents))

    def unfinished(self) -> Sequence[Brief]:
        """Return a summary of those that have not ended."""
        matching = {"stage": {"$nin": _FINAL}, "is_deleted": False}
        matching["created_at"] = {"$exists": True}
        fields = {"owner": 1, "stage": 1, "created_at": 1}
        with translated():
            return [
                Brief(
                    each["_id"],
                    each["owner"],
                    each["stage"],
                    datetime.fromisoformat(each["created_at"]),
                )
                for each in self._collection.find(matching, fields)
            ]

    def _readable(self, documents: Iterable[dict[str, Any]]) -> Iterator[S]:
        """Skip unreadable documents and log each one."""
        for document in documents:
            try:
                yield record_from_document(document, self._kind).subject
            except UnreadableRecordError as error:
                logger.error("%s", error)  # noqa: TRY400 - its reason says all


def mongo_projects(database: MongoDatabase) -> MongoRecords[Project]:
    """Return the store of projects."""
    return MongoRecords(database, "projects", Project)


def mongo_mocks(database: MongoDatabase) -> MongoRecords[Mock]:
    """Return the store of mocks."""
    return MongoRecords(database, "mocks", Mock)


class MongoEventStore:
    """The history: a document per event, unique by number and by ``event_id``."""

    def __init__(self, database: MongoDatabase) -> None:
        self._events = database["events"]

    def create_indexes(self) -> None:
        """Make the numbers and ids unique."""
        with translated():
            for key in ("seq", "event.event_id"):
                fields = [("subject_id", ASCENDING), (key, ASCENDING)]
                self._events.create_index(fields, unique=True)

    def append(self, subject_id: str, event: Event) -> bool:
        """Store the event with the next number; return False if it is there already."""
        document = document_from_event(event)
        same = {"subject_id": subject_id, "event.event_id": event.event_id}
        for _ in range(NUMBERING_ATTEMPTS):
            with translated():
                if self._events.find_one(same, {"_id": 1}):
                    return False
                stored = {"subject_id": subject_id, "seq": self.last(subject_id) + 1}
                try:
                    self._events.insert_one({**stored, "event": document})
                except DuplicateKeyError:
                    # Another writer took the number, or stored this very event.
                    continue
                return True
        raise StaleProjectError(f"no free number for an event of {subject_id}")

    def after(self, subject_id: str, seq: int, limit: int) -> Sequence[StoredEvent]:
        """Return later events in order."""
        later = {"subject_id": subject_id, "seq": {"$gt": seq}}
        with translated():
            documents = self._events.find(later).sort("seq", ASCENDING).limit(limit)
            return [StoredEvent(document["seq"], document["event"]) for document in documents]

    def last(self, subject_id: str) -> int:
        """Return the highest number."""
        with translated():
            newest = self._events.find_one(
                {"subject_id": subject_id}, {"seq": 1}, sort=[("seq", DESCENDING)]
            )
        return int(newest["seq"]) if newest else 0

    def remove(self, subject_id: str) -> None:
        """Delete the history of a project or mock."""
        with translated():
            self._events.delete_many({"subject_id": subject_id})


class MongoLeases:
    """Leases that expire by the clock of the process that reads them."""

    def __init__(self, database: MongoDatabase, now: Callable[[], datetime]) -> None:
        self._leases = database["leases"]
        self._now = now

    def acquire(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew the lease; return False if another holder has it."""
        now = self._now()
        until = (now + timedelta(seconds=seconds)).timestamp()
        mine_or_over = {
            "_id": name,
            "$or": [{"holder": holder}, {"until": {"$lte": now.timestamp()}}],
        }
        with translated():
            try:
                self._leases.update_one(
                    mine_or_over, {"$set": {"holder": holder, "until": until}}, upsert=True
                )
            except DuplicateKeyError:
                return False
        return True

    def release(self, name: str, holder: str) -> None:
        """Release the lease."""
        with translated():
            self._leases.delete_one({"_id": name, "holder": holder})
