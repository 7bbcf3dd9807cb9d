"""The manager's API over the real use cases, and these over adapters in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flask import Flask

from flops_contracts.errors import FlopsError
from flops_contracts.events import Event
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.deployments import Installation
from flops_manager.domain.errors import NotAuthenticatedError
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project
from flops_manager.entrypoints.api.callers import Senders, VerifiedSenders
from flops_manager.entrypoints.api.serving import UseCases, make_api
from flops_manager.entrypoints.api.streams import Pace
from flops_manager.ports.stores import Record
from flops_manager.ports.tokens import Identity
from flops_manager.usecases.addresses import Addresses
from flops_manager.usecases.database import Database
from flops_manager.usecases.kept_logs import KeptLogs, LogLimits
from flops_manager.usecases.liveness import Liveness
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.models import Models
from flops_manager.usecases.projects import Projects
from flops_manager.usecases.queue import Queue
from flops_manager.usecases.root_check import RootCheck
from flops_manager.usecases.survey import Survey
from flops_manager.usecases.tracking import Tracking
from support.api_samples import LATER
from support.memory.addresses import MemoryAddressBook
from support.memory.heartbeats import MemoryHeartbeats
from support.memory.identities import MemoryIdentities
from support.memory.logs import MemoryLogStore
from support.memory.orchestrator import MemoryDataServers, MemoryOrchestrator
from support.memory.stores import (
    MemoryEventStore,
    MemoryLeases,
    MemoryRecords,
    memory_mocks,
)
from support.wire_samples import PROJECT_ID

TOKENS = {
    "ada's": Identity("ada"),
    "bob's": Identity("bob"),
    "Admin's": Identity("Admin", frozenset({"Admin"})),
}


class KnownTokens:
    """Knows three tokens by heart; one more has expired."""

    def verify(self, token: str) -> Identity:
        if token == "expired":
            raise NotAuthenticatedError("The token has expired.", hint="Log in again.")
        if token not in TOKENS:
            raise NotAuthenticatedError("The token is not valid.")
        return TOKENS[token]


class BreakableProjects(MemoryRecords[Project]):
    """Projects in memory that a test can make unreachable."""

    def __init__(self, missing: type[FlopsError]) -> None:
        super().__init__(missing)
        self.error: Exception | None = None

    def get(self, subject_id):
        if self.error is not None:
            raise self.error
        return super().get(subject_id)

    def list(self, customer_id, stage, skip, limit):
        if self.error is not None:
            raise self.error
        return super().list(customer_id, stage, skip, limit)


class BreakableRoot:
    """The manager's access to a root, which a test can make unusable."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0

    def check(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


def breakable_projects() -> BreakableProjects:
    """Return a store of projects that tests can break."""
    return BreakableProjects(Project.noun)


@dataclass
class World:
    """The API and what lies behind it."""

    projects: BreakableProjects = field(default_factory=breakable_projects)
    mocks: MemoryRecords[Mock] = field(default_factory=memory_mocks)
    history: MemoryEventStore = field(default_factory=MemoryEventStore)
    heartbeats: MemoryHeartbeats = field(default_factory=MemoryHeartbeats)
    logs: MemoryLogStore = field(default_factory=MemoryLogStore)
    orchestrator: MemoryOrchestrator = field(default_factory=MemoryOrchestrator)
    root: BreakableRoot = field(default_factory=BreakableRoot)
    senders: Senders = field(default_factory=lambda: VerifiedSenders(KnownTokens()))

    def use_cases(self) -> UseCases:
        """Return the use cases over this world."""
        survey = Survey(self.orchestrator, MemoryDataServers())
        queue = Queue(self.projects, survey, Limits())
        logs = KeptLogs(self.logs, {}, LogLimits(), _now)
        liveness = Liveness(self.heartbeats, _now)
        projects = Projects(
            self.projects, self.history, self.orchestrator, survey, queue, logs, liveness, _now
        )
        mocks = Mocks(self.mocks, self.history, logs, liveness, _now)
        return UseCases(
            projects,
            mocks,
            Tracking(
                self.orchestrator,
                Addresses(self.orchestrator, MemoryAddressBook(), MemoryIdentities()),
                MemoryLeases(_now),
                INSTALLATION,
                "this process",
            ),
            Models(self.projects),
            Database(projects, mocks),
            survey,
            RootCheck(self.root),
        )

    def api(self, **options) -> Flask:
        """Return the API; streams look at once, and live for a moment only."""
        options = {"pace": Pace(poll_seconds=0.01, settle_seconds=0.02, life_seconds=5), **options}
        return make_api(self.use_cases(), self.senders, **options)

    def has(self, *subjects: Project | Mock) -> "World":
        """Store projects and mocks, in place of those with the same id."""
        for subject in subjects:
            store = self.projects if isinstance(subject, Project) else self.mocks
            store.remove(subject.id)
            store.add(Record(subject))
        return self

    def tells(self, *events: Event) -> "World":
        """Go on with the history of the sample project."""
        for event in events:
            number = len(self.history.after(PROJECT_ID, 0, 10_000)) + 1
            self.history.append(PROJECT_ID, replace(event, event_id=f"event-{number}"))
        return self

    def stored(self) -> Sequence[Project]:
        """Return the projects that are not deleted."""
        return self.projects.list(None, None, 0, 10_000)[0]

    def stored_mocks(self) -> Sequence[Mock]:
        """Return the mocks that are not deleted."""
        return self.mocks.list(None, None, 0, 10_000)[0]


INSTALLATION = Installation("ghcr.io/oakestra/addon-flops", "latest", "mqtt://broker:9027")


def _now():
    return LATER


def by(whose: str, **headers: str) -> dict[str, str]:
    """Return the headers of a request by ``ada's``, ``bob's`` or ``Admin's`` token."""
    return {"Authorization": f"Bearer {whose}", **headers}
