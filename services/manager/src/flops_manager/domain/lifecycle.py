"""The life of a project, from submission to a served model."""

from dataclasses import dataclass

from flops_contracts.events import ActorsBuilt, ModelBuilt, ModelServing, Trained
from flops_manager.domain.projects import Placement, ProjectError


@dataclass(frozen=True)
class Placed:
    """Nodes, capacity and data were looked at, and this is what goes where."""

    placements: tuple[Placement, ...]


@dataclass(frozen=True)
class ModelLocated:
    """The served model is reached at ``address`` from outside."""

    address: str


@dataclass(frozen=True)
class StepFailed:
    """``stage`` cannot end well."""

    stage: str
    error: ProjectError


@dataclass(frozen=True)
class LearnerFailed:
    """One learner is lost; whether that matters depends on how many are left."""

    instance: str
    error: ProjectError


@dataclass(frozen=True)
class CancelRequested:
    """The owner wants it to stop."""


@dataclass(frozen=True)
class RetryRequested:
    """The owner wants it to go on where it stopped."""


@dataclass(frozen=True)
class DeleteRequested:
    """The owner wants it to be gone."""


ProjectEvent = (
    Placed
    | ActorsBuilt
    | Trained
    | ModelBuilt
    | ModelServing
    | ModelLocated
    | StepFailed
    | LearnerFailed
    | CancelRequested
    | RetryRequested
    | DeleteRequested
)
