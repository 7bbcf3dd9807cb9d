"""The events of a project's or mock's lifecycle; four results of actors are such events too."""

from dataclasses import dataclass

from flops_contracts.api.answers import LearnerFailed, ProjectError
from flops_contracts.events import ActorsBuilt, Fragment, ModelBuilt, ModelServing, Trained
from flops_manager.domain.subjects import Placement


@dataclass(frozen=True)
class Placed:
    """Nodes, capacity and data were looked at, and this is what goes where.

    ``notices`` say what was left out.
    """

    placements: tuple[Placement, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelLocated:
    """The served model is reached at ``address`` from outside."""

    address: str


@dataclass(frozen=True)
class DataStored:
    """The mock data provider ``instance`` stored the partitions of its node."""

    instance: str
    fragments: tuple[Fragment, ...]


@dataclass(frozen=True)
class StepFailed:
    """``stage`` (of a project or a mock) cannot end well."""

    stage: str
    error: ProjectError


@dataclass(frozen=True)
class ActorLost:
    """A service that its stage cannot do without is lost, but another try may help.

    ``event_id`` is the message that reported it, or empty if none did.
    """

    instance: str
    error: ProjectError
    event_id: str = ""


@dataclass(frozen=True)
class CancelRequested:
    """The customer wants it to stop."""


@dataclass(frozen=True)
class RetryRequested:
    """The customer wants it to go on where it stopped."""


@dataclass(frozen=True)
class DeleteRequested:
    """The customer wants it to be gone; with ``with_runs`` also what it left in MLflow."""

    with_runs: bool = False


ProjectEvent = (
    Placed
    | ActorsBuilt
    | Trained
    | ModelBuilt
    | ModelServing
    | ModelLocated
    | DataStored
    | StepFailed
    | LearnerFailed
    | ActorLost
    | CancelRequested
    | RetryRequested
    | DeleteRequested
)
