"""A project: what its customer asked for, and everything that is known of it since."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from flops_contracts.declared import about
from flops_contracts.events import ActorImages, Progress, RoundCompleted, Trained
from flops_contracts.roles import Role, Stage
from flops_contracts.sla import ProjectSla

PLANNED: Final = "PLANNED"
"""The status of a service that is not at the orchestrator yet."""

REMOVED: Final = "REMOVED"
"""The status of a service that was undeployed and deleted."""

LOST: Final = "LOST"
"""The status of a service that is about to be undeployed, and then deployed anew."""

DIED: Final = "ServiceDiedError"
"""The class of errors of services that ended without a word of their own."""

NOT_STARTED: Final = "ServiceNotStartedError"
"""The class of errors of services that their node has, but does not start."""

SILENT: Final = "ServiceSilentError"
"""The class of errors of services that still run, but give no sign of life."""

DONE: Final = "done"
"""The ``state`` of a service that delivered its result."""


@dataclass(frozen=True)
class StageEntry:
    """When a project entered a stage."""

    stage: Stage
    entered_at: datetime


@dataclass(frozen=True)
class Service:
    """One service of a project or mock.

    ``instance`` is its name at the orchestrator and ``status`` the orchestrator's word for its
    state (or ``PLANNED``, ``REMOVED``); ``address`` is where other services reach it, and
    ``public_address`` where everybody else does. ``state``, ``round``, ``memory_mb`` (10^6 bytes)
    and ``rows`` (of data) are what its last heartbeat said, ``starts`` how often it began: a
    one-shot that dies is restarted by the orchestrator.
    ``started_at`` is its own time, and ``fetch_seconds`` passed from then until it had its data.
    ``redeployed`` counts how often the manager deployed it again under the same name, and
    ``lost_by`` is the message that last led to it, if one did.
    """

    role: Role
    instance: str
    stage: str
    job_id: str = ""
    cluster: str = ""
    node: str = ""
    address: str = ""
    public_address: str = ""
    status: str = PLANNED
    state: str = ""
    round: int | None = None
    memory_mb: float | None = None
    rows: int | None = None
    index: int = 0
    attempt: int = 0
    starts: int = 0
    redeployed: int = 0
    lost_by: str = ""
    started_at: datetime | None = None
    fetch_seconds: float | None = None
    deployed_at: datetime | None = None
    running_since: datetime | None = None
    last_heartbeat: datetime | None = None
    last_lines: tuple[str, ...] = ()

    @property
    def is_removed(self) -> bool:
        """Whether it is gone from the orchestrator for good."""
        return self.status == REMOVED


@dataclass(frozen=True)
class Placement:
    """Where one service goes. For a learner: the how-maniest of how many on its node it is."""

    role: Role
    cluster: str = ""
    node: str = ""
    index: int = 0
    node_index: int = 0
    node_learners: int = 1


@dataclass(frozen=True)
class ProjectError:
    """Why a project or mock failed, and where that came from. ``error`` is the class name."""

    reason: str
    stage: str
    hint: str = ""
    where: str = ""
    error: str = ""
    role: Role | None = None
    instance: str = ""
    cluster: str = ""
    node: str = ""
    round: int | None = None
    cycle: int | None = None
    exit_code: int | None = None
    last_lines: tuple[str, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True)
class LearnerFailed:
    """A learner, or a cluster's aggregator, is lost; whether that matters depends on who is left.

    ``is_replaced`` says that another one was started in its place.
    """

    instance: str
    error: ProjectError
    is_replaced: bool = False


@dataclass(frozen=True)
class ClusterRound:
    """A round between the learners of one cluster and their aggregator."""

    cluster: str
    completed: RoundCompleted


@dataclass(frozen=True)
class Project:
    """The whole state of one project.

    ``attempt`` counts retries; it is part of service names, so that what an earlier attempt still
    says is told apart. ``stopped_in`` is the stage that failed or was cancelled. ``rounds`` are
    those of its aggregator: in hierarchical mode cycles, with ``cluster_rounds`` in them.
    ``takes_runs_along`` says that what is in MLflow is deleted with it.
    ``waiting`` says what keeps it from going on, if something does that is no failure.
    ``trace`` is the traceparent of the request that began it, where traces are on.
    """

    id: str
    customer_id: str = field(metadata=about(key="owner"))
    sla: ProjectSla
    stage: Stage
    created_at: datetime
    updated_at: datetime
    stage_history: tuple[StageEntry, ...] = ()
    attempt: int = 0
    grid_token: str = field(default="", repr=False)
    services: tuple[Service, ...] = ()
    placements: tuple[Placement, ...] = ()
    images: ActorImages | None = None
    commit: str = ""
    python_version: str = ""
    dependency_lock: str = ""
    rounds: tuple[RoundCompleted, ...] = ()
    cluster_rounds: tuple[ClusterRound, ...] = ()
    trained: Trained | None = None
    model_image: str = ""
    model_address: str = ""
    learner_failures: tuple[LearnerFailed, ...] = ()
    error: ProjectError | None = None
    stopped_in: Stage | None = None
    progress: Progress | None = None
    waiting: str = ""
    notices: tuple[str, ...] = ()
    is_deleted: bool = False
    takes_runs_along: bool = False
    trace: str = ""

    @property
    def is_hierarchical(self) -> bool:
        """Whether each cluster has an aggregator of its own."""
        return self.sla.training_configuration.is_hierarchical

    @property
    def expected_rounds(self) -> int:
        """How many rounds its aggregator runs; in hierarchical mode these are cycles."""
        training = self.sla.training_configuration
        return training.training_cycles if self.is_hierarchical else training.training_rounds

    @property
    def completed_rounds(self) -> int:
        """The number of the last round that is known; of many, not all stay here."""
        return self.rounds[-1].round if self.rounds else 0

    @property
    def best_cycle(self) -> int | None:
        """The cycle of the best model in hierarchical mode."""
        return self.trained.best_round if self.trained and self.is_hierarchical else None

    @property
    def accuracy(self) -> float | None:
        """The accuracy of its model, or of the last round as long as there is none."""
        measured = (*self.rounds[-1:], *((self.trained,) if self.trained else ()))
        return measured[-1].accuracy if measured else None

    @property
    def entered_at(self) -> datetime:
        """When the project entered its present stage."""
        return self.stage_history[-1].entered_at if self.stage_history else self.created_at

    def service(self, instance: str) -> Service | None:
        """Return the service with this name, or None."""
        return next((one for one in self.services if one.instance == instance), None)

    def present(self, role: Role, stage: str | None = None) -> tuple[Service, ...]:
        """Return the services of ``role`` (started for ``stage``) that are not removed."""
        return tuple(
            one
            for one in self.services
            if one.role is role and not one.is_removed and stage in {None, one.stage}
        )

    def with_service(self, changed: Service) -> "Project":
        """Return the project with the service of that name replaced."""
        services = tuple(
            changed if one.instance == changed.instance else one for one in self.services
        )
        return replace(self, services=services)
