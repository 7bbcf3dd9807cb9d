"""What the worker has to do for a project or mock; each can be done twice without harm."""

from dataclasses import dataclass

from flops_contracts.roles import Role


@dataclass(frozen=True)
class Announce:
    """Tell everybody who watches that the stage changed, for the ``number``-th time."""

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
    """Look at nodes, capacity and data, and decide what goes where."""


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
    """Stop who failed before the orchestrator restarts it for ever, and what a lost cluster has."""


@dataclass(frozen=True)
class Locate:
    """Find out where the served model is reached from outside."""


@dataclass(frozen=True)
class Remove:
    """Delete everything that is left at the orchestrator, then the project or mock itself."""


Command = Announce | CreateApplications | Place | Deploy | Undeploy | UndeployLost | Locate | Remove
