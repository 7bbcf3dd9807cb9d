"""How long things may take."""

from dataclasses import dataclass

from flops_contracts.declared import declared
from flops_contracts.roles import Stage
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds; how many projects there may be, where 0 is any."""

    scheduling_seconds: float = declared(
        120.0,
        "How long a service may wait until it runs; one that a node has gets three tries.",
        "FLOPS_SCHEDULING_TIMEOUT_SECONDS",
    )
    placing_seconds: float = declared(
        180.0,
        "How long a project may stay submitted.",
        "FLOPS_PLACING_TIMEOUT_SECONDS",
    )
    building_seconds: float = declared(
        1800.0,
        "How long a build may take.",
        "FLOPS_BUILDING_TIMEOUT_SECONDS",
    )
    joining_seconds: float = declared(
        300.0,
        "What training may take beyond the time of its rounds.",
        "FLOPS_TRAINING_START_TIMEOUT_SECONDS",
    )
    serving_seconds: float = declared(
        300.0,
        "How long a trained model may take to answer.",
        "FLOPS_SERVING_TIMEOUT_SECONDS",
    )
    providing_seconds: float = declared(
        1800.0,
        "How long a mock data provider may take.",
        "FLOPS_PROVIDING_TIMEOUT_SECONDS",
    )
    starting_seconds: float = declared(
        180.0,
        "How long a running actor may take to send its first message.",
        "FLOPS_ACTOR_START_TIMEOUT_SECONDS",
    )
    heartbeat_seconds: float = declared(
        10.0,
        "Time between heartbeats of actors; three missed ones make it count as silent.",
        "FLOPS_ACTOR_HEARTBEAT_SECONDS",
    )
    queue_seconds: float = declared(
        3600.0,
        "How long a project may wait for room.",
        "FLOPS_QUEUE_TIMEOUT_SECONDS",
    )
    running_projects: int = declared(
        0,
        "How many projects run at once, others wait; 0 lets in what fits the nodes.",
        "FLOPS_MAX_RUNNING_PROJECTS",
        maximum=100_000,
    )
    projects_per_customer: int = declared(
        0,
        "How many unfinished projects a customer may have; 0 is any number.",
        "FLOPS_MAX_PROJECTS_PER_CUSTOMER",
        maximum=100_000,
    )


def round_seconds(project: Project) -> int:
    """Return how long a round of the project's aggregator, or a cycle, may take."""
    sla = project.sla
    return sla.cycle_timeout_seconds if project.is_hierarchical else sla.round_timeout_seconds


def project_limit(project: Project, limits: Limits) -> float:
    """Return how many seconds the project may stay in its present stage."""
    return {
        Stage.SUBMITTED: limits.queue_seconds if project.waiting else limits.placing_seconds,
        Stage.BUILDING_ACTORS: limits.building_seconds,
        Stage.TRAINING: limits.joining_seconds + project.expected_rounds * round_seconds(project),
        Stage.BUILDING_MODEL: limits.building_seconds,
        Stage.SERVING: limits.serving_seconds,
    }[project.stage]


def mock_limit(_mock: Mock, limits: Limits) -> float:
    """Return how many seconds a mock may take from its submission to its end."""
    return limits.providing_seconds
