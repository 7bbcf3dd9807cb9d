"""The manager's metrics beyond the broker's lines and the API's own requests.

Both processes load all of this code, so what only the worker does is in a registry that only the
worker shows. What the API counts of each of its apps is in ``entrypoints/api/telemetry.py``.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from flops_runtime.metrics import WORK_SECONDS

ROOT_REQUESTS: Final = Counter(
    "flops_manager_root_requests",
    "Requests to Oakestra's root, by method and outcome: ok, refused (4xx), failed (5xx) or "
    "unreachable.",
    ["method", "outcome"],
)
ROOT_SECONDS: Final = Histogram(
    "flops_manager_root_request_seconds", "Time until the root's answer, or its lack.", ["method"]
)

WORKER: Final = CollectorRegistry()
"""What only the worker shows."""

LEASE_HELD: Final = Gauge(
    "flops_manager_lease_held",
    "1 in the worker that holds the lease and acts, 0 in one that stands by.",
    registry=WORKER,
)
HEARING: Final = Gauge(
    "flops_manager_hearing", "1 while the active worker hears the actors.", registry=WORKER
)
COMMANDS: Final = Counter(
    "flops_manager_commands",
    "Attempts to carry out commands of the outboxes, by what came of it: done, waiting (not yet "
    "possible), failed (is tried again) or given_up.",
    ["kind", "outcome"],
    registry=WORKER,
)
COMMAND_SECONDS: Final = Histogram(
    "flops_manager_command_seconds",
    "Time that an attempt takes.",
    ["kind"],
    buckets=WORK_SECONDS,
    registry=WORKER,
)
COMMAND_ATTEMPTS: Final = Histogram(
    "flops_manager_command_attempts",
    "Attempts that a command took which was done or given up.",
    ["kind"],
    buckets=(1, 2, 3, 5, 10, 20, 30),
    registry=WORKER,
)
BUSY_OUTBOXES: Final = Gauge(
    "flops_manager_busy_outboxes",
    "Projects and mocks with commands that wait or are being carried out.",
    registry=WORKER,
)
RESTING_OUTBOXES: Final = Gauge(
    "flops_manager_resting_outboxes",
    "Of those, the ones that pause before the next attempt.",
    registry=WORKER,
)
PROJECTS: Final = Gauge(
    "flops_manager_projects",
    "Projects that have not ended, by stage; those that are submitted wait in the queue.",
    ["stage"],
    registry=WORKER,
)
STAGE_CHANGES: Final = Counter(
    "flops_manager_stage_changes",
    "Stages that projects and mocks came to.",
    ["of", "stage"],
    registry=WORKER,
)
EVENTS: Final = Counter(
    "flops_manager_events",
    "Events of actors, by kind and what became of them: applied, unknown (nobody's) or dropped.",
    ["kind", "outcome"],
    registry=WORKER,
)
LOG_BATCHES: Final = Counter(
    "flops_manager_log_batches", "Batches of actors' log lines that arrived.", registry=WORKER
)
LOOK_SECONDS: Final = Histogram(
    "flops_manager_look_seconds",
    "Time of a look at everything that runs, all questions to the root included.",
    buckets=WORK_SECONDS,
    registry=WORKER,
)


def stand_by() -> None:
    """Reset the gauges of the active worker."""
    for gauge in (LEASE_HELD, HEARING, BUSY_OUTBOXES, RESTING_OUTBOXES):
        gauge.set(0)
    PROJECTS.clear()
