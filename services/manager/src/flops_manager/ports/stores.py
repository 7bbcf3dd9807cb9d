"""The stores of projects, mocks and their events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from flops_contracts.events import Event
from flops_manager.domain.commands import Command
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project
from flops_manager.domain.queue import Brief

T = TypeVar("T")


@dataclass(frozen=True)
class Pending:
    """A command that is not carried out yet, and how often it failed."""

    command: Command
    failures: int = 0


@dataclass(frozen=True)
class Record(Generic[T]):
    """A project or mock as stored: its state, its version, and its outbox, oldest first."""

    subject: T
    version: int = 0
    todo: tuple[Pending, ...] = ()


@dataclass(frozen=True)
class StoredEvent:
    """An event of a project or mock, as the document that is sent; ``seq`` counts from 1."""

    seq: int
    document: Mapping[str, Any]


class Records(Protocol[T]):
    """Keeps projects, or mocks. State, version and outbox are one write.

    Every method raises ``StoreUnavailableError`` if the database does not answer.
    """

    def add(self, record: Record[T]) -> None:
        """Store a new one; raise ``AlreadyExistsError`` if its id is taken."""

    def get(self, subject_id: str) -> Record[T]:
        """Return what is stored; raise ``SubjectNotFoundError``."""

    def save(self, record: Record[T]) -> None:
        """Replace what is stored, one version up.

        Raises ``StaleProjectError`` if ``record.version`` is not the stored one.
        """

    def remove(self, subject_id: str) -> None:
        """Forget it; it is fine if there is none."""

    def list(
        self, customer_id: str | None, stage: str | None, skip: int, limit: int
    ) -> tuple[Sequence[T], int]:
        """Return those that are not deleted, newest first, and how many there are in all.

        ``customer_id`` and ``stage`` narrow the choice; None means any.
        """

    def busy(self) -> Sequence[str]:
        """Return the ids of those whose outbox is not empty."""

    def active(self, ended_after: datetime) -> Sequence[T]:
        """Return those that are in no final stage, and those that got there later than that.

        Documents that cannot be read are left out here and in ``list``, and logged.
        """

    def unfinished(self) -> Sequence[Brief]:
        """Return those that are in no final stage and not being deleted, in brief."""


ProjectStore = Records[Project]
MockStore = Records[Mock]


class EventStore(Protocol):
    """Keeps the history of projects and mocks, numbered without gaps for each."""

    def append(self, subject_id: str, event: Event) -> bool:
        """Store the event with the next number; return False if it is stored already."""

    def after(self, subject_id: str, seq: int, limit: int) -> Sequence[StoredEvent]:
        """Return up to ``limit`` events with a higher number than ``seq``, in order."""

    def last(self, subject_id: str) -> int:
        """Return the highest number; 0 if there is no event."""

    def remove(self, subject_id: str) -> None:
        """Forget the history of a project or mock."""
