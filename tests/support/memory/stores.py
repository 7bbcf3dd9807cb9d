"""The manager's stores and leases in memory."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from flops_contracts.envelope import document_from_event
from flops_contracts.events import Event
from flops_manager.domain.errors import (
    AlreadyExistsError,
    StaleProjectError,
    SubjectNotFoundError,
)
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project
from flops_manager.domain.queue import Brief
from flops_manager.ports.stores import Record, StoredEvent

T = TypeVar("T")


class MemoryRecords(Generic[T]):
    """A store of projects or mocks, whatever ``noun`` says."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._records: dict[str, Record[Any]] = {}
        self._lock = threading.Lock()

    def add(self, record: Record[T]) -> None:
        """Store a new one."""
        subject: Any = record.subject
        with self._lock:
            if subject.id in self._records:
                raise AlreadyExistsError(f"{subject.id} exists already.")
            self._records[subject.id] = record

    def get(self, subject_id: str) -> Record[T]:
        """Return what is stored."""
        with self._lock:
            if subject_id not in self._records:
                raise SubjectNotFoundError.of(self._noun, subject_id)
            return self._records[subject_id]

    def save(self, record: Record[T]) -> None:
        """Replace what is stored."""
        subject: Any = record.subject
        with self._lock:
            stored = self._records.get(subject.id)
            if stored is None or stored.version != record.version:
                raise StaleProjectError(f"{subject.id} was changed in between.")
            self._records[subject.id] = replace(record, version=record.version + 1)

    def remove(self, subject_id: str) -> None:
        """Forget it."""
        with self._lock:
            self._records.pop(subject_id, None)

    def list(
        self, customer_id: str | None, stage: str | None, skip: int, limit: int
    ) -> tuple[Sequence[T], int]:
        """Return a part of what is stored, newest first."""
        matching = [
            item.subject
            for item in self._all()
            if not item.subject.is_deleted
            and customer_id in {None, item.subject.customer_id}
            and stage in {None, item.subject.stage}
        ]
        matching.sort(key=lambda item: (item.created_at, item.id), reverse=True)
        return matching[skip : skip + limit], len(matching)

    def busy(self) -> Sequence[str]:
        """Return the ids of those whose outbox is not empty."""
        return [item.subject.id for item in self._all() if item.todo]

    def active(self, ended_after: datetime) -> Sequence[T]:
        """Return those that are in no final stage, or only just."""
        subjects = (item.subject for item in self._all())
        return [
            subject
            for subject in subjects
            if not subject.stage.is_final or subject.updated_at > ended_after
        ]

    def unfinished(self) -> Sequence[Brief]:
        """Return those that are in no final stage, in brief."""
        subjects = (item.subject for item in self._all())
        return [
            Brief(subject.id, subject.customer_id, subject.stage, subject.created_at)
            for subject in subjects
            if not subject.stage.is_final and not subject.is_deleted
        ]

    def _all(self) -> tuple[Record[Any], ...]:
        with self._lock:
            return tuple(self._records.values())


def memory_projects() -> MemoryRecords[Project]:
    """Return a store of projects."""
    return MemoryRecords(Project.noun)


def memory_mocks() -> MemoryRecords[Mock]:
    """Return a store of mocks."""
    return MemoryRecords(Mock.noun)


class MemoryEventStore:
    """The history."""

    def __init__(self) -> None:
        self._events: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def append(self, subject_id: str, event: Event) -> bool:
        """Store the event unless it is there."""
        with self._lock:
            events = self._events.setdefault(subject_id, [])
            if any(document["event_id"] == event.event_id for document in events):
                return False
            events.append(document_from_event(event))
            return True

    def after(self, subject_id: str, seq: int, limit: int) -> Sequence[StoredEvent]:
        """Return later events in order."""
        with self._lock:
            events = list(self._events.get(subject_id, ()))
        return [StoredEvent(at + 1, event) for at, event in enumerate(events)][seq : seq + limit]

    def last(self, subject_id: str) -> int:
        """Return the highest number."""
        with self._lock:
            return len(self._events.get(subject_id, ()))

    def remove(self, subject_id: str) -> None:
        """Forget the history."""
        with self._lock:
            self._events.pop(subject_id, None)


class MemoryLeases:
    """Leases by a clock that tests can move."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._held: dict[str, tuple[str, datetime]] = {}
        self._lock = threading.Lock()

    def acquire(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew the lease."""
        with self._lock:
            current, until = self._held.get(name, ("", self._now()))
            if current not in {"", holder} and until > self._now():
                return False
            self._held[name] = (holder, self._now() + timedelta(seconds=seconds))
            return True

    def release(self, name: str, holder: str) -> None:
        """Release the lease."""
        with self._lock:
            if self._held.get(name, ("",))[0] == holder:
                del self._held[name]
