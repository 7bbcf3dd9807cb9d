"""Return values of the use cases that are not part of the domain."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from flops_contracts.roles import Role

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a longer list; ``total`` counts all pages."""

    items: tuple[T, ...]
    total: int


@dataclass(frozen=True)
class Finding:
    """The result of one check of a dry run; ``hint`` says what to change."""

    check: str
    is_ok: bool
    message: str
    hint: str = ""


@dataclass(frozen=True)
class ActorLog:
    """The last lines of one service; if ``is_live``, the orchestrator still has it."""

    role: Role
    instance: str
    cluster: str
    node: str
    is_live: bool
    lines: tuple[str, ...]


@dataclass(frozen=True)
class TrainedModel:
    """A trained model, its image and its server; ``id`` is the project's."""

    id: str
    customer_id: str
    name: str
    version: str
    model_uri: str
    run_id: str
    experiment_id: str
    best_round: int
    best_cycle: int | None
    rounds: int
    loss: float | None
    accuracy: float | None
    image: str
    address: str
    repository: str
    commit: str
    trained_at: datetime


class TrackingServer(NamedTuple):
    """The URL of a customer's MLflow, and whether it runs already."""

    url: str
    is_running: bool


@dataclass(frozen=True)
class Removed:
    """The number of projects and mocks that a reset of the database deletes."""

    projects: int
    mocks: int
