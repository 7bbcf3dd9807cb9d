"""How long things may take."""

from dataclasses import dataclass

from flops_contracts.roles import Stage
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds; how many projects there may be, where 0 is any."""

    scheduling_seconds: float = 120
    placing_seconds: float = 180
    building_seconds: float = 1800
    joining_seconds: float = 300
    serving_seconds: float = 300
    providing_seconds: float = 1800
    starting_seconds: float = 180
    heartbeat_seconds: float = 10
    queue_seconds: float = 3600
    running_projects: int = 0
    projects_per_customer: int = 0


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
