"""The manager's answers: frozen dataclasses that it writes and its clients read.

Every answer is an object with ``message``. Names are the wire's: always ``project_id``, never
``id``; secrets such as a project's grid token have no field here and so are never sent.
Clients read with ``load_tolerantly``, because the manager may be of another version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flops_contracts.declared import about, declared
from flops_contracts.events import (
    ActorImages,
    Fragment,
    Progress,
    PublicEvent,
    RoundCompleted,
    Trained,
)
from flops_contracts.log_lines import LoggedLine
from flops_contracts.roles import MockStage, Role, Stage
from flops_contracts.sla import MockSla, ProjectSla

_WAITING = about("What it waits for, with its position in the queue.")


@dataclass(frozen=True)
class ProjectError:
    """Why a project or mock failed, and where that came from. ``error`` is the class name."""

    reason: str
    stage: str = ""
    hint: str = declared("", "What to change.")
    where: str = declared("", "File and line, if it is about a file.")
    error: str = declared("", "The class of the error.")
    role: Role | None = None
    instance: str = ""
    cluster: str = ""
    node: str = ""
    round: int | None = None
    cycle: int | None = None
    exit_code: int | None = None
    last_lines: tuple[str, ...] = ()
    at: datetime | None = None

    @property
    def origin(self) -> str:
        """The actor that failed, with place and time, as text."""
        parts = [
            self.role or "",
            self.instance,
            f"on {self.node}" if self.node else "",
            f"of cluster {self.cluster}" if self.cluster else "",
        ]
        who = " ".join(part for part in parts if part)
        counted = (("cycle", self.cycle), ("round", self.round), ("exit code", self.exit_code))
        when = [f"{name} {number}" for name, number in counted if number is not None]
        stage = [f"in stage {self.stage}"] if self.stage else []
        return ", ".join([" ".join([who, *stage]).strip(), *when])


@dataclass(frozen=True)
class LearnerFailed:
    """A lost learner or cluster's aggregator; the project may go on without it."""

    instance: str
    error: ProjectError
    is_replaced: bool = declared(False, "Whether another was started in its place.")


@dataclass(frozen=True)
class ActorState:
    """One service of a project, as the orchestrator and its own heartbeats describe it."""

    role: Role
    instance: str = field(metadata=about("Its service name at the orchestrator."))
    stage: str = field(metadata=about("The stage it was started for."))
    status: str = declared("PLANNED", "The orchestrator's; PLANNED before, REMOVED after.")
    state: str = declared("", "Its state in its last heartbeat.")
    round: int | None = declared(None, "From its heartbeat: the current or last round.")
    memory_mb: float | None = declared(None, "From its heartbeat: resident memory, in 10^6 bytes.")
    rows: int | None = declared(None, "From its heartbeat: how many rows of data it loaded.")
    cluster: str = ""
    node: str = ""
    address: str = declared("", "Its address for other services.")
    public_address: str = declared("", "Its address for everybody else.")
    port: int = declared(0, "Its published port, at both addresses; 0 if it has none.")
    index: int = 0
    starts: int = declared(0, "How often it started; the orchestrator restarts it.")
    redeployed: int = declared(0, "How often the manager deployed it again.")
    deployed_at: datetime | None = None
    last_heartbeat: datetime | None = None


@dataclass(frozen=True)
class StageEntry:
    """When a stage was entered."""

    stage: Stage
    entered_at: datetime


@dataclass(frozen=True, kw_only=True)
class ClusterRound(RoundCompleted):
    """A round of one cluster in hierarchical mode; ``cycle`` is the cycle that it belongs to."""

    cluster: str


@dataclass(frozen=True, kw_only=True)
class ProjectSummary:
    """A project in a list."""

    id: str = field(metadata=about(key="project_id"))
    owner: str
    stage: Stage
    created_at: datetime | None = declared(None, sparse=True)
    updated_at: datetime | None = declared(None, sparse=True)
    repository: str = field(metadata=about(key="ml_repo_url"))
    ml_model_flavor: str
    waiting: str = field(metadata=_WAITING)
    rounds_completed: int
    rounds: int = field(metadata=about("In hierarchical mode: cycles."))
    accuracy: float | None = field(
        metadata=about("Of the trained model, or of the last round so far.")
    )
    reason: str = declared("", "Why it failed; absent if it did not.", sparse=True)


@dataclass(frozen=True, kw_only=True)
class Project:
    """The full state of a project."""

    id: str = field(metadata=about(key="project_id"))
    owner: str
    stage: Stage
    stage_entered_at: datetime | None = declared(None, sparse=True)
    stages: tuple[StageEntry, ...] = field(metadata=about(key="stage_history"))
    created_at: datetime | None = declared(None, sparse=True)
    updated_at: datetime | None = declared(None, sparse=True)
    attempt: int = field(metadata=about("How often it was retried."))
    progress: Progress | None
    actors: tuple[ActorState, ...]
    rounds: tuple[RoundCompleted, ...] = field(
        metadata=about("Rounds of the project's aggregator; in hierarchical mode its cycles.")
    )
    cluster_rounds: tuple[ClusterRound, ...] = field(
        metadata=about("Hierarchical mode: the rounds of each cluster, the last 2,000.")
    )
    best_cycle: int | None = field(
        metadata=about("Hierarchical mode: the cycle of the best model.")
    )
    images: ActorImages | None
    commit: str
    python_version: str
    dependency_lock: str
    trained: Trained | None
    model_image: str
    model_address: str = field(
        metadata=about("URL of the served model; empty if it is not served.")
    )
    learner_failures: tuple[LearnerFailed, ...]
    failure: ProjectError | None = field(metadata=about(key="error"))
    stopped_in: Stage | None = field(metadata=about("The stage that failed or ended."))
    waiting: str = field(metadata=_WAITING)
    notices: tuple[str, ...]
    sla: ProjectSla | None = declared(None, sparse=True)


@dataclass(frozen=True, kw_only=True)
class Mock:
    """The full state of a mock data provider."""

    id: str = field(metadata=about(key="mock_id"))
    owner: str
    stage: MockStage
    created_at: datetime | None = declared(None, sparse=True)
    updated_at: datetime | None = declared(None, sparse=True)
    services: tuple[ActorState, ...] = field(metadata=about("A provider for each node."))
    progress: Progress | None
    notices: tuple[str, ...] = ()
    fragments: tuple[Fragment, ...]
    failure: ProjectError | None = field(metadata=about(key="error"))
    sla: MockSla | None = declared(None, sparse=True)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model, its image and its server."""

    id: str = field(metadata=about(key="project_id"))
    owner: str
    name: str = field(metadata=about("Its name in the model registry of MLflow."))
    version: str
    model_uri: str
    run_id: str
    experiment_id: str
    best_round: int = field(metadata=about("In hierarchical mode: the cycle."))
    best_cycle: int | None = field(metadata=about("Null in classic mode."))
    rounds: int
    loss: float | None
    accuracy: float | None
    image: str = field(metadata=about("The image of its inference server; empty if none."))
    address: str = field(metadata=about("URL where it is served; empty if it is not."))
    repository: str
    commit: str
    trained_at: datetime | None = declared(None, sparse=True)


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``where`` is a file or ``file:line``."""

    check: str
    is_ok: bool
    message: str
    hint: str = declared("", "What to change.")
    where: str = declared("", "File and line, if it is about a file.", sparse=True)


@dataclass(frozen=True)
class ActorLog:
    """The last lines of one service."""

    role: Role
    instance: str
    cluster: str
    node: str
    is_live: bool = field(metadata=about("Whether the orchestrator still has the service."))
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class KeptLine(LoggedLine):
    """A line that an actor logged."""

    seq: int
    role: Role
    instance: str
    cluster: str
    node: str
    left_out: int = declared(
        0, "How many lines before this one were dropped because there were too many."
    )


@dataclass(frozen=True, kw_only=True)
class NumberedEvent(PublicEvent):
    """One event of a history, as it is stored; ``seq`` counts from 1 without gaps."""

    seq: int


@dataclass(frozen=True)
class TagStats:
    """The data of a node with one tag."""

    rows: int
    fragments: int = 0
    bytes: int = 0
    columns: Mapping[str, str] = declared(dict, "Arrow's types by the columns' names.")
    is_uniform: bool = declared(True, "Whether all fragments have these columns.")
    difference: str = declared("", "What is unlike in which two fragments, if they differ.")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A worker node; an empty ``name`` is a cluster that does not list its workers."""

    cluster: str
    name: str
    address: str
    addons: tuple[str, ...]
    vcpus: float | None = field(metadata=about("Free; null if unknown."))
    memory_mb: float | None = field(metadata=about("Free; null if unknown."))
    is_answering: bool = field(metadata=about("Whether its data server answered."))
    data: Mapping[str, TagStats] = field(
        metadata=about("By data tag; only names and counts, never data.")
    )


@dataclass(frozen=True)
class Answer:
    """An answer with a sentence about what happened."""

    message: str = field(metadata=about("What happened, for people."))


@dataclass(frozen=True, kw_only=True)
class Error(Answer):
    """Why a request was refused or failed."""

    errors: Mapping[str, tuple[str, ...]] | None = declared(
        None, "Every problem of an invalid SLA or request: path to sentences.", sparse=True
    )
    error_id: str = declared("", "Search FLOps' log for it; only for status 500.", sparse=True)


@dataclass(frozen=True, kw_only=True)
class ProjectSubmitted(Answer):
    """The id of the project; with dry_run the findings instead."""

    project_id: str = declared("", sparse=True)
    is_ok: bool | None = declared(None, "Dry run only: whether all checks passed.", sparse=True)
    findings: tuple[Finding, ...] | None = declared(None, "Dry run only.", sparse=True)


@dataclass(frozen=True, kw_only=True)
class MockSubmitted(Answer):
    """The id of the mock; with dry_run only the message."""

    mock_id: str = declared("", sparse=True)


@dataclass(frozen=True, kw_only=True)
class PageAnswer(Answer):
    """A page of a list; ``total`` counts all pages."""

    page: int
    page_size: int
    total: int


@dataclass(frozen=True)
class ProjectAnswer(Answer):
    """One project."""

    project: Project


@dataclass(frozen=True, kw_only=True)
class ProjectsAnswer(PageAnswer):
    """Projects, newest first."""

    projects: tuple[ProjectSummary, ...]


@dataclass(frozen=True, kw_only=True)
class EventsAnswer(Answer):
    """History in order; ask again with ``after=last_seq`` for more."""

    events: tuple[NumberedEvent, ...]
    last_seq: int


@dataclass(frozen=True)
class LogsAnswer(Answer):
    """Logs of a project's services."""

    logs: tuple[ActorLog, ...]


@dataclass(frozen=True)
class LogLinesAnswer(Answer):
    """Lines in order; ask again with ``after=last_seq`` for what is logged later."""

    lines: tuple[KeptLine, ...]
    last_seq: int


@dataclass(frozen=True)
class MockAnswer(Answer):
    """One mock data provider."""

    mock: Mock


@dataclass(frozen=True, kw_only=True)
class MocksAnswer(PageAnswer):
    """Mock data providers, newest first."""

    mocks: tuple[Mock, ...]


@dataclass(frozen=True)
class ModelAnswer(Answer):
    """One trained model."""

    model: Model


@dataclass(frozen=True, kw_only=True)
class ModelsAnswer(PageAnswer):
    """Trained models, newest first."""

    models: tuple[Model, ...]


@dataclass(frozen=True, kw_only=True)
class TrackingAnswer(Answer):
    """The address of the customer's MLflow."""

    url: str = field(metadata=about(key="tracking_server_url"))
    is_running: bool = field(metadata=about("False while it is still being deployed."))


@dataclass(frozen=True, kw_only=True)
class DatabaseAnswer(Answer):
    """The number of projects and mocks that a reset removed."""

    projects: int
    mocks: int


@dataclass(frozen=True)
class NodesAnswer(Answer):
    """All active nodes."""

    nodes: tuple[Node, ...]
