"""Where projects, mocks and their events are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from flops_contracts.events import Event
from flops_contracts.roles import MockStage, Stage
from flops_manager.domain.commands import Command
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project

T = TypeVar("T")


@dataclass(frozen=True)
class Pending:
    """A command that is not carried out yet, and how often that was tried in vain."""

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
    """An event in the history of a project or mock; ``seq`` counts from 1."""

    seq: int
    event: Event


class ProjectStore(Protocol):
    """Keeps projects. State, version and outbox are one write."""

    def add(self, record: Record[Project]) -> None:
        """Store a new project; raise ``AlreadyExistsError`` if its id is taken."""

    def get(self, project_id: str) -> Record[Project]:
        """Return what is stored; raise ``ProjectNotFoundError``."""

    def save(self, record: Record[Project]) -> None:
        """Replace what is stored, one version up.

        Raises ``StaleProjectError`` if ``record.version`` is not the stored one.
        """

    def remove(self, project_id: str) -> None:
        """Forget the project; it is fine if there is none."""

    def list(
        self, owner: str | None, stage: Stage | None, skip: int, limit: int
    ) -> tuple[Sequence[Project], int]:
        """Return projects that are not deleted, newest first, and how many there are in all.

        ``owner`` and ``stage`` narrow the choice; None means any.
        """

    def busy(self) -> Sequence[str]:
        """Return the ids of projects whose outbox is not empty."""

    def active(self) -> Sequence[Project]:
        """Return the projects that are in no final stage."""


class MockStore(Protocol):
    """Keeps mocks, as ``ProjectStore`` keeps projects."""

    def add(self, record: Record[Mock]) -> None:
        """Store a new mock; raise ``AlreadyExistsError`` if its id is taken."""

    def get(self, mock_id: str) -> Record[Mock]:
        """Return what is stored; raise ``MockNotFoundError``."""

    def save(self, record: Record[Mock]) -> None:
        """Replace what is stored, one version up, or raise ``StaleProjectError``."""

    def remove(self, mock_id: str) -> None:
        """Forget the mock; it is fine if there is none."""

    def list(
        self, owner: str | None, stage: MockStage | None, skip: int, limit: int
    ) -> tuple[Sequence[Mock], int]:
        """Return mocks that are not deleted, newest first, and how many there are in all."""

    def busy(self) -> Sequence[str]:
        """Return the ids of mocks whose outbox is not empty."""

    def active(self) -> Sequence[Mock]:
        """Return the mocks that are in no final stage."""


class EventStore(Protocol):
    """Keeps the history of projects and mocks, numbered without gaps for each."""

    def append(self, subject_id: str, event: Event) -> bool:
        """Store the event with the next number; say False if its ``event_id`` is there already."""

    def after(self, subject_id: str, seq: int, limit: int) -> Sequence[StoredEvent]:
        """Return up to ``limit`` events with a higher number than ``seq``, in order."""

    def remove(self, subject_id: str) -> None:
        """Forget the history of a project or mock."""
