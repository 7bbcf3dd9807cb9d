"""The orchestrator's reports on services, in our terms."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Health(StrEnum):
    """The meaning of a service's state, whatever the orchestrator calls it."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    DEAD = "dead"
    UNPLACEABLE = "unplaceable"


@dataclass(frozen=True)
class ServiceState:
    """The orchestrator's report on one service; ``status`` is its own word.

    ``port`` is the published one, 0 if there is none.
    """

    job_id: str
    health: Health
    status: str
    detail: str = ""
    public_address: str = ""
    port: int = 0
    logs: str = ""
