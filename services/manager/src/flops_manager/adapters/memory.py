"""Every port in memory: for tests, and for trying things out. They pass the ports' contracts."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from flops_contracts.errors import FlopsError
from flops_contracts.events import RESULTS, Event
from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.errors import (
    AlreadyExistsError,
    MockNotFoundError,
    ProjectNotFoundError,
    ServiceAddressTakenError,
    StaleProjectError,
)
from flops_manager.domain.mocks import Mock
from flops_manager.domain.nodes import Node, TagStats
from flops_manager.domain.projects import Project
from flops_manager.domain.queue import Brief
from flops_manager.domain.states import Health, ServiceState
from flops_manager.ports.orchestrator import Deployed
from flops_manager.ports.stores import Record, StoredEvent

T = TypeVar("T")


class MemoryRecords(Generic[T]):
    """A store of projects or mocks; ``missing`` makes the error for an id that is not there."""

    def __init__(self, missing: Callable[[str], FlopsError]) -> None:
        self._missing = missing
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
                raise self._missing(subject_id)
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
        self, owner: str | None, stage: str | None, skip: int, limit: int
    ) -> tuple[Sequence[T], int]:
        """Return a part of what is stored, newest first."""
        found = [
            one.subject
            for one in self._all()
            if not one.subject.is_deleted
            and owner in {None, one.subject.owner}
            and stage in {None, one.subject.stage}
        ]
        found.sort(key=lambda one: (one.created_at, one.id), reverse=True)
        return found[skip : skip + limit], len(found)

    def busy(self) -> Sequence[str]:
        """Return the ids of those whose outbox is not empty."""
        return [one.subject.id for one in self._all() if one.todo]

    def active(self, ended_after: datetime) -> Sequence[T]:
        """Return those that are in no final stage, or only just."""
        subjects = (one.subject for one in self._all())
        return [one for one in subjects if not one.stage.is_final or one.updated_at > ended_after]

    def unfinished(self) -> Sequence[Brief]:
        """Return those that are in no final stage, in brief."""
        subjects = (one.subject for one in self._all())
        return [
            Brief(one.id, one.owner, one.stage, one.created_at)
            for one in subjects
            if not one.stage.is_final and not one.is_deleted
        ]

    def _all(self) -> tuple[Record[Any], ...]:
        with self._lock:
            return tuple(self._records.values())


def memory_projects() -> MemoryRecords[Project]:
    """Return a store of projects."""
    return MemoryRecords(ProjectNotFoundError.of)


def memory_mocks() -> MemoryRecords[Mock]:
    """Return a store of mocks."""
    return MemoryRecords(MockNotFoundError.of)


class MemoryEventStore:
    """The history."""

    def __init__(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._lock = threading.Lock()

    def append(self, subject_id: str, event: Event) -> bool:
        """Store the event unless it is there."""
        with self._lock:
            events = self._events.setdefault(subject_id, [])
            if any(one.event_id == event.event_id for one in events):
                return False
            events.append(event)
            return True

    def after(self, subject_id: str, seq: int, limit: int) -> Sequence[StoredEvent]:
        """Return later events in order."""
        with self._lock:
            events = list(self._events.get(subject_id, ()))
        return [StoredEvent(at + 1, one) for at, one in enumerate(events)][seq : seq + limit]

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
            owner, until = self._held.get(name, ("", self._now()))
            if owner not in {"", holder} and until > self._now():
                return False
            self._held[name] = (holder, self._now() + timedelta(seconds=seconds))
            return True

    def release(self, name: str, holder: str) -> None:
        """Give it back."""
        with self._lock:
            if self._held.get(name, ("",))[0] == holder:
                del self._held[name]


class MemoryDataServers:
    """Data servers by node address; an address that is not in ``held`` does not answer."""

    def __init__(self, held: Mapping[str, Mapping[str, TagStats]] | None = None) -> None:
        self.held: dict[str, Mapping[str, TagStats]] = dict(held or {})

    def stats(self, address: str) -> Mapping[str, TagStats] | None:
        """Return what was put in."""
        return self.held.get(address)


class MemoryEventBus:
    """A bus within the process: tests say what actors say, and read what they were told.

    As a broker with a persistent session it keeps what nobody took yet, besides the results that
    nobody confirmed; ``forget`` makes it one that was killed.
    """

    def __init__(self) -> None:
        self.published: list[Event] = []
        self.acknowledged: list[str] = []
        self._receive: Callable[[Event, bool], None] | None = None
        self._retained: dict[str, tuple[Event, bool]] = {}
        self._waiting: dict[str, tuple[Event, bool]] = {}

    @property
    def is_open(self) -> bool:
        """Whether somebody listens."""
        return self._receive is not None

    def say(self, event: Event, *, is_mock: bool = False) -> None:
        """Be an actor. A result is kept until somebody confirms it."""
        if event.kind in RESULTS:
            self._retained[event.event_id] = (event, is_mock)
        self._waiting[event.event_id] = (event, is_mock)
        self._deliver()

    def forget(self) -> None:
        """Lose everything that was kept for whoever is to hear it."""
        self._retained.clear()
        self._waiting.clear()

    def hearing_since(self) -> datetime | None:
        """Say that it was always heard, while somebody listens."""
        return datetime.min.replace(tzinfo=UTC) if self.is_open else None

    def publish(self, event: Event, *, is_mock: bool) -> None:
        """Keep it for the test to read."""
        del is_mock
        self.published.append(event)

    def acknowledge(self, event: Event, *, is_mock: bool) -> None:
        """Keep it for the test to read."""
        del is_mock
        self.acknowledged.append(event.event_id)
        self._retained.pop(event.event_id, None)

    def open(self, receive: Callable[[Event, bool], None]) -> None:
        """Listen."""
        self._receive = receive
        self._deliver()
        self.ask_again()

    def ask_again(self) -> None:
        """Tell the results that nobody confirmed."""
        if self._receive is not None:
            for event, is_mock in tuple(self._retained.values()):
                self._receive(event, is_mock)

    def close(self) -> None:
        """Listen no more."""
        self._receive = None

    def _deliver(self) -> None:
        for event_id, (event, is_mock) in tuple(self._waiting.items()):
            if self._receive is not None:
                self._receive(event, is_mock)
                self._waiting.pop(event_id, None)


@dataclass
class _Running:
    deployment: Deployment
    state: ServiceState


@dataclass
class MemoryOrchestrator:
    """An orchestrator that runs nothing: whatever is deployed says RUNNING until it is told else.

    ``failures`` are raised by the next calls, one each; ``fates`` are what services of a name look
    like, however often they are deployed.
    """

    landscape: tuple[Node, ...] = ()
    applications: set[ApplicationKey] = field(default_factory=set)
    taken_addresses: set[str] = field(default_factory=set)
    failures: list[FlopsError] = field(default_factory=list)
    deployed: list[Deployment] = field(default_factory=list)
    fates: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._services: dict[str, _Running] = {}
        self._lock = threading.RLock()

    def running(self) -> dict[str, Deployment]:
        """Return what runs, by service name."""
        with self._lock:
            return {name: one.deployment for name, one in self._services.items()}

    def change_state(self, name: str, **changes: Any) -> None:
        """Make a service look different from now on."""
        with self._lock:
            running = self._services[name]
            running.state = replace(running.state, **changes)

    def destine(self, name: str, **fate: Any) -> None:
        """Make a service look different from now on, also if it is deployed anew."""
        with self._lock:
            self.fates[name] = fate
            self.change_state(name, **fate)

    def nodes(self) -> Sequence[Node]:
        """Return what the test put in."""
        self._fail_if_told()
        return self.landscape

    def create_application(self, application: ApplicationKey) -> None:
        """Remember it."""
        self._fail_if_told()
        self.applications.add(application)

    def deploy(self, deployment: Deployment) -> Deployed:
        """Run it, in words."""
        self._fail_if_told()
        with self._lock:
            there = self._services.get(deployment.name)
            if there is None:
                others = {one.deployment.address for one in self._services.values()}
                if deployment.address and deployment.address in others | self.taken_addresses:
                    raise ServiceAddressTakenError(f"{deployment.address} is taken.")
                self.applications.add(deployment.application)
                self.deployed.append(deployment)
                number = len(self.deployed)
                state = ServiceState(
                    job_id=f"job{number}",
                    health=Health.RUNNING,
                    status="RUNNING",
                    public_address=f"192.0.2.{number % 250}",
                )
                state = replace(state, **self.fates.get(deployment.name, {}))
                there = self._services[deployment.name] = _Running(deployment, state)
            return Deployed(there.state.job_id, there.deployment.address)

    def undeploy(self, application: ApplicationKey, name: str, job_id: str = "") -> None:
        """Run it no more."""
        del application, job_id
        self._fail_if_told()
        with self._lock:
            self._services.pop(name, None)

    def states(self, application: ApplicationKey) -> Mapping[str, ServiceState]:
        """Return what the services say."""
        self._fail_if_told()
        with self._lock:
            return {
                name: one.state
                for name, one in self._services.items()
                if one.deployment.application == application
            }

    def remove_application(self, application: ApplicationKey) -> None:
        """Forget it and whatever is in it."""
        self._fail_if_told()
        with self._lock:
            self.applications.discard(application)
            for name in list(self.states(application)):
                del self._services[name]

    def _fail_if_told(self) -> None:
        with self._lock:
            if self.failures:
                raise self.failures.pop(0)
