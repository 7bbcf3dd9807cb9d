"""The manager's responses as values; ``document`` is the whole response."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flops_contracts.declared import load
from flops_contracts.envelope import event_from_document
from flops_contracts.events import BYTES_DOWN, BYTES_UP, Event
from flops_contracts.privacy import EPSILON
from flops_contracts.roles import MockStage, Role, Stage

Document = Mapping[str, Any]

STORY_PORT = 2727
"""Where a project's observer tells its story."""


@dataclass(frozen=True)
class Round:
    """One completed round, as its learners measured it, or a cycle of a hierarchical project.

    A round of such a project has a ``cluster`` and lies in a ``cycle``. ``bytes_down`` went from
    its aggregator to its clients, ``bytes_up`` came back; ``epsilon`` is what differential privacy
    has spent by then.
    """

    round: int
    cycle: int
    loss: float | None
    accuracy: float | None
    seconds: float
    is_cycle: bool = False
    cluster: str = ""
    bytes_down: float | None = None
    bytes_up: float | None = None
    epsilon: float | None = None


@dataclass(frozen=True)
class StageEntry:
    """When a stage was entered."""

    stage: str
    entered_at: datetime


@dataclass(frozen=True)
class ProjectFailure:
    """Why a project or mock failed, and where that came from."""

    reason: str
    hint: str = ""
    where: str = ""
    stage: str = ""
    instance: str = ""
    role: str = ""
    node: str = ""
    cluster: str = ""
    round: int | None = None
    cycle: int | None = None
    exit_code: int | None = None
    last_lines: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The actor that failed, with place and time, as text."""
        parts = [
            self.role,
            self.instance,
            f"on {self.node}" if self.node else "",
            f"of cluster {self.cluster}" if self.cluster else "",
        ]
        who = " ".join(part for part in parts if part)
        counted = (
            ("cycle", self.cycle),
            ("round", self.round),
            ("exit code", self.exit_code),
        )
        when = [f"{name} {number}" for name, number in counted if number is not None]
        stage = [f"in stage {self.stage}"] if self.stage else []
        return ", ".join([" ".join([who, *stage]).strip(), *when])


@dataclass(frozen=True)
class ProjectSummary:
    """A project in a list; ``reason`` is empty unless it failed."""

    id: str
    stage: Stage
    owner: str
    created_at: str
    repository: str
    rounds_completed: int
    rounds: int
    reason: str
    document: Document = field(repr=False)

    @classmethod
    def from_document(cls, document: Document) -> "ProjectSummary":
        """Read one item of what GET /api/flops/projects answers."""
        return cls(
            id=str(document["project_id"]),
            stage=Stage(document["stage"]),
            owner=str(document.get("owner", "")),
            created_at=str(document.get("created_at", "")),
            repository=str(document.get("ml_repo_url", "")),
            rounds_completed=int(document.get("rounds_completed") or 0),
            rounds=int(document.get("rounds") or 0),
            reason=str(document.get("reason") or ""),
            document=document,
        )


@dataclass(frozen=True)
class Project:
    """The state of a project; its observer tells its story at ``story_url``.

    In hierarchical mode ``rounds`` are its cycles, and ``cluster_rounds`` lie in them.
    """

    id: str
    stage: Stage
    owner: str
    created_at: str
    rounds: tuple[Round, ...]
    cluster_rounds: tuple[Round, ...]
    stages: tuple[StageEntry, ...]
    model_url: str
    story_url: str
    failure: ProjectFailure | None
    document: Document = field(repr=False)

    @classmethod
    def from_document(cls, document: Document) -> "Project":
        """Read what GET /api/flops/projects/<id> answers."""
        return cls(
            id=str(document["project_id"]),
            stage=Stage(document["stage"]),
            owner=str(document.get("owner", "")),
            created_at=str(document.get("created_at", "")),
            rounds=tuple(_round(round_) for round_ in document.get("rounds") or ()),
            cluster_rounds=tuple(_round(round_) for round_ in document.get("cluster_rounds") or ()),
            stages=tuple(load(StageEntry, item) for item in document.get("stage_history") or ()),
            model_url=_url(document.get("model_address")),
            story_url=_story_url(document),
            failure=_failure(document.get("error")),
            document=document,
        )


@dataclass(frozen=True)
class Mock:
    """The state of a mock data provider; ``fragments`` are the names of what it stored."""

    id: str
    stage: MockStage
    owner: str
    created_at: str
    fragments: tuple[Document, ...]
    failure: ProjectFailure | None
    document: Document = field(repr=False)

    @classmethod
    def from_document(cls, document: Document) -> "Mock":
        """Read what GET /api/flops/mocks/<id> answers."""
        return cls(
            id=str(document["mock_id"]),
            stage=MockStage(document["stage"]),
            owner=str(document.get("owner", "")),
            created_at=str(document.get("created_at", "")),
            fragments=tuple(document.get("fragments") or ()),
            failure=_failure(document.get("error")),
            document=document,
        )


@dataclass(frozen=True)
class Model:
    """A trained model; its id is the project's."""

    id: str
    name: str
    version: str
    accuracy: float | None
    url: str
    document: Document = field(repr=False)

    @classmethod
    def from_document(cls, document: Document) -> "Model":
        """Read what GET /api/flops/models/<id> answers."""
        return cls(
            id=str(document["project_id"]),
            name=str(document.get("name", "")),
            version=str(document.get("version", "")),
            accuracy=document.get("accuracy"),
            url=_url(document.get("address")),
            document=document,
        )


@dataclass(frozen=True)
class Finding:
    """One thing that a dry run checked."""

    check: str
    is_ok: bool
    message: str
    hint: str = ""
    where: str = ""

    @classmethod
    def from_document(cls, document: Document) -> "Finding":
        """Read one item of ``findings``."""
        return load(cls, _without_nulls(document))


@dataclass(frozen=True)
class Tracking:
    """Where a customer's MLflow is; it may still be starting."""

    url: str
    is_running: bool


@dataclass(frozen=True)
class NumberedEvent:
    """One event of a project's history; ``seq`` counts from 1."""

    seq: int
    event: Event

    @classmethod
    def from_document(cls, document: Document) -> "NumberedEvent":
        """Read one event as the API gives it; raise ``MalformedMessageError``."""
        return cls(int(document.get("seq", 0)), event_from_document(document))


def _url(address: Any) -> str:
    """Return where a model is served as a URL, whether or not the manager wrote the scheme."""
    text = str(address or "")
    return f"http://{text}" if text and "://" not in text else text


def _story_url(document: Document) -> str:
    for actor in document.get("actors") or ():
        address = actor.get("public_address")
        if actor.get("role") == Role.OBSERVER and actor.get("status") == "RUNNING" and address:
            return f"http://{address}:{STORY_PORT}"
    return ""


def _round(document: Document) -> Round:
    return Round(
        round=int(document["round"]),
        cycle=int(document.get("cycle", 1)),
        loss=document.get("loss"),
        accuracy=document.get("accuracy"),
        seconds=float(document.get("seconds") or 0),
        is_cycle=bool(document.get("is_cycle")),
        cluster=str(document.get("cluster") or ""),
        bytes_down=document.get("metrics", {}).get(BYTES_DOWN),
        bytes_up=document.get("metrics", {}).get(BYTES_UP),
        epsilon=document.get("metrics", {}).get(EPSILON),
    )


def _failure(document: Document | None) -> ProjectFailure | None:
    return load(ProjectFailure, _without_nulls(document)) if document else None


def _without_nulls(document: Document) -> Document:
    """Return what the manager knows; its nulls are our defaults."""
    return {key: value for key, value in document.items() if value is not None}
