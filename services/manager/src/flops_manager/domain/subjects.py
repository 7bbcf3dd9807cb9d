"""A subject is what a customer submits and the worker carries out: a project or a mock."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Final, Self

from flops_contracts.api.answers import ActorState, LearnerFailed, ProjectError
from flops_contracts.declared import about
from flops_contracts.events import Progress
from flops_contracts.roles import MockStage, Role, Stage
from flops_contracts.sla import MockSla, ProjectSla

PLANNED: Final = "PLANNED"
"""The status of a service that is not at the orchestrator yet."""

REMOVED: Final = "REMOVED"
"""The status of a service that was undeployed and deleted."""

LOST: Final = "LOST"
"""The status of a service that is about to be undeployed, and then deployed again."""

DIED: Final = "ServiceDiedError"
"""The error class of services that ended without reporting a reason."""

NOT_STARTED: Final = "ServiceNotStartedError"
"""The error class of services that their node has, but does not start."""

SILENT: Final = "ServiceSilentError"
"""The error class of services that still run, but send no heartbeats."""

DONE: Final = "done"
"""The ``state`` of a service that delivered its result."""


@dataclass(frozen=True)
class Service(ActorState):
    """One service of a project or mock, with what only the manager needs to know.

    ``started_at`` is by its own clock, and ``fetch_seconds`` later it had its data.
    ``redeployed`` counts deployments under the same name, and ``lost_by`` is the message that
    last led to one.
    """

    job_id: str = ""
    attempt: int = 0
    lost_by: str = ""
    started_at: datetime | None = None
    fetch_seconds: float | None = None
    running_since: datetime | None = None
    last_lines: tuple[str, ...] = ()

    @property
    def is_removed(self) -> bool:
        """Return whether it is gone from the orchestrator for good."""
        return self.status == REMOVED


@dataclass(frozen=True)
class Placement:
    """Where one service goes.

    For a learner, also its index among, and the number of, the learners on its node.
    """

    role: Role
    cluster: str = ""
    node: str = ""
    index: int = 0
    node_index: int = 0
    node_learners: int = 1


@dataclass(frozen=True)
class Subject:
    """The common part of projects and mocks: everything that takes them through their lifecycle.

    ``attempt`` counts retries; it is part of service names, so that late messages of an earlier
    attempt are recognized. ``waiting`` is what keeps it from going on without being a failure.
    ``trace`` is the traceparent of the request that began it, where traces are on.
    """

    noun: ClassVar[str]

    id: str
    customer_id: str = field(metadata=about(key="owner"))
    sla: ProjectSla | MockSla
    stage: Stage | MockStage
    created_at: datetime
    updated_at: datetime
    attempt: int = 0
    services: tuple[Service, ...] = ()
    placements: tuple[Placement, ...] = ()
    learner_failures: tuple[LearnerFailed, ...] = ()
    error: ProjectError | None = None
    progress: Progress | None = None
    waiting: str = ""
    notices: tuple[str, ...] = ()
    is_deleted: bool = False
    trace: str = ""

    @property
    def entered_at(self) -> datetime:
        """When the deadline of its present stage began to run."""
        return self.created_at

    @property
    def stage_number(self) -> int:
        """How many stages it has entered, as far as they are counted."""
        return 1

    @property
    def reporting_stage(self) -> str:
        """The stage whose services report to it now."""
        return self.stage

    @property
    def current_round(self) -> int | None:
        """The round that a classic training is in, as far as is known."""
        return None

    @property
    def build_note(self) -> str:
        """The name of the note in which its builder records what it built; empty if it has none."""
        return ""

    @property
    def delivered(self) -> frozenset[str]:
        """The instances that have done their part of the present stage, and may end."""
        return frozenset()

    def service(self, instance: str) -> Service | None:
        """Return the service with this name, or None."""
        return next((service for service in self.services if service.instance == instance), None)

    def present(self, role: Role, stage: str | None = None) -> tuple[Service, ...]:
        """Return the services of ``role`` (started for ``stage``) that are not removed."""
        return tuple(
            service
            for service in self.services
            if service.role is role and not service.is_removed and stage in {None, service.stage}
        )

    def with_service(self, changed: Service) -> Self:
        """Return the subject with the service of that name replaced."""
        services = (changed if old.instance == changed.instance else old for old in self.services)
        return replace(self, services=tuple(services))

    def entered(self, stage: Stage | MockStage, now: datetime) -> Self:
        """Return the subject in another stage."""
        return replace(self, stage=stage, updated_at=now, progress=None, waiting="")

    def without_details(self) -> Self:
        """Return a smaller subject, for when the whole one is too large to be stored."""
        return replace(self, notices=(), learner_failures=())
