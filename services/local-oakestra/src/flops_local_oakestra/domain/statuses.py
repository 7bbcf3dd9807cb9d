"""The statuses of services and instances, written as the root writes them."""

import signal
from enum import StrEnum, unique


@unique
class Status(StrEnum):
    """The state of an instance, or the reason why a service could not be placed."""

    REQUESTED = "REQUESTED"
    CLUSTER_SCHEDULED = "CLUSTER_SCHEDULED"
    NODE_SCHEDULED = "NODE_SCHEDULED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    DEAD = "DEAD"
    FAILED = "FAILED"
    TARGET_CLUSTER_NOT_ACTIVE = "TargetClusterNotActive"
    NO_ACTIVE_CLUSTER_WITH_CAPACITY = "NoActiveClusterWithCapacity"
    NO_QUALIFIED_WORKER_FOUND = "NO_QUALIFIED_WORKER_FOUND"


@unique
class Scheduler(StrEnum):
    """How this root's scheduler behaves: normally, silent, or always refusing with this status."""

    WORKS = "works"
    SILENT = "silent"
    NOT_ACTIVE = str(Status.TARGET_CLUSTER_NOT_ACTIVE)
    NO_CAPACITY = str(Status.NO_ACTIVE_CLUSTER_WITH_CAPACITY)


WAITING = "Waiting for scheduling decision"
"""The constant ``status_detail`` of a service from its first deployment on."""


STARTED = "Container is starting up"
"""The last ``status_detail`` that NodeEngine reports of an instance that it could start."""

AFTER_START = frozenset({Status.RUNNING, Status.COMPLETED, Status.DEAD})


def status_after_exit(exit_code: int, *, one_shot: bool) -> Status:
    """Return the status of an instance that has ended; only a one-shot with code 0 completes."""
    return Status.COMPLETED if one_shot and exit_code == 0 else Status.DEAD


def exit_detail(exit_code: int) -> str:
    """Describe how a process ended; a code above 128 is a signal, as in a shell."""
    try:
        name = signal.Signals(exit_code - 128).name
    except ValueError:
        return f"exit code {exit_code}"
    return f"exit code {exit_code} ({name})"
