"""What the orchestrator reports on services, in our words."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Health(StrEnum):
    """What a service's state means to us, whatever the orchestrator calls it."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    DEAD = "dead"
    UNPLACEABLE = "unplaceable"


@dataclass(frozen=True)
class ServiceState:
    """What the orchestrator reports on one service. ``status`` is its own word."""

    job_id: str
    health: Health
    status: str
    detail: str = ""
    public_address: str = ""
    logs: str = ""
