"""The commands that the worker carries out for a project or mock; repeating one is harmless."""

from dataclasses import dataclass

from flops_contracts.roles import Role


@dataclass(frozen=True)
class Announce:
    """Publish that the stage changed, for the ``number``-th time."""

    stage: str
    previous: str
    number: int = 1
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True)
class CreateApplications:
    """Create the applications that services are put in, where they are missing."""


@dataclass(frozen=True)
class Place:
    """Decide what goes where, from nodes, capacity and data."""


@dataclass(frozen=True)
class Deploy:
    """Start the services of ``role`` that belong to ``stage`` and ``attempt``."""

    role: Role
    stage: str
    attempt: int = 0


@dataclass(frozen=True)
class Undeploy:
    """Stop and delete the services of ``role`` that belong to ``stage`` and ``attempt``."""

    role: Role
    stage: str
    attempt: int = 0


@dataclass(frozen=True)
class UndeployLost:
    """Stop lost services before they are restarted for ever, and all services of lost clusters."""


@dataclass(frozen=True)
class Locate:
    """Find the public address of the served model."""


@dataclass(frozen=True)
class Remove:
    """Delete all that is left at the orchestrator, then the project or mock itself."""


Command = Announce | CreateApplications | Place | Deploy | Undeploy | UndeployLost | Locate | Remove
