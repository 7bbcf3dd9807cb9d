"""The last heartbeats in MongoDB: a small document for each actor."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING

from flops_contracts.declared import dump, load
from flops_contracts.events import Heartbeat
from flops_manager.adapters.mongo import MongoDatabase, translated
from flops_manager.domain.liveness import LastHeartbeat


class MongoHeartbeats:
    """See ``Heartbeats``."""

    def __init__(self, database: MongoDatabase) -> None:
        self._heartbeats = database["heartbeats"]

    def create_indexes(self) -> None:
        """Make looking up the heartbeats of a project fast."""
        with translated():
            self._heartbeats.create_index([("subject_id", ASCENDING)])

    def renew(self, subject_id: str, heartbeat: LastHeartbeat) -> bool:
        """Replace the actor's heartbeat; return False if it has none yet."""
        return self._set(subject_id, heartbeat, upsert=False)

    def add(self, subject_id: str, heartbeat: LastHeartbeat) -> None:
        """Store an actor's first heartbeat."""
        self._set(subject_id, heartbeat, upsert=True)

    def of(self, *subject_ids: str) -> Mapping[str, LastHeartbeat]:
        """Return the heartbeats of projects or mocks by instance."""
        with translated():
            documents = tuple(self._heartbeats.find({"subject_id": {"$in": subject_ids}}))
        return {document["instance"]: _heartbeat_from(document) for document in documents}

    def remove(self, subject_id: str) -> None:
        """Forget the heartbeats of a project or mock."""
        with translated():
            self._heartbeats.delete_many({"subject_id": subject_id})

    def _set(self, subject_id: str, last: LastHeartbeat, *, upsert: bool) -> bool:
        document = {
            "subject_id": subject_id,
            "instance": last.instance,
            "received_at": last.received_at.astimezone(UTC).isoformat(),
            "heartbeat": dump(last.heartbeat),
        }
        key = {"_id": f"{subject_id}/{last.instance}"}
        with translated():
            result = self._heartbeats.update_one(key, {"$set": document}, upsert=upsert)
        return result.matched_count > 0


def _heartbeat_from(document: Mapping[str, Any]) -> LastHeartbeat:
    received_at = datetime.fromisoformat(document["received_at"])
    return LastHeartbeat(document["instance"], received_at, load(Heartbeat, document["heartbeat"]))
