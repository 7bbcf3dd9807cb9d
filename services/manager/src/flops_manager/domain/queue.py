"""Who is next when not all projects fit, and what those that run will still need."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flops_contracts.roles import Role, Stage
from flops_manager.domain.deployments import memory_mb
from flops_manager.domain.nodes import Landscape
from flops_manager.domain.projects import Project
from flops_manager.domain.subjects import Placement

_USED = "RUNNING"


@dataclass(frozen=True)
class Brief:
    """What the queue has to know of a project that has not ended."""

    id: str
    customer_id: str
    stage: str
    created_at: datetime

    @property
    def is_waiting(self) -> bool:
        """Whether it has no place yet."""
        return self.stage == Stage.SUBMITTED


def ahead_of(project: Project, unfinished: Sequence[Brief]) -> tuple[str, ...]:
    """Return the ids of those that were submitted before it and have no place yet, in order."""
    waiting = sorted((one.created_at, one.id) for one in unfinished if one.is_waiting)
    own = (project.created_at, project.id)
    return tuple(project_id for created_at, project_id in waiting if (created_at, project_id) < own)


def running_beside(project: Project, unfinished: Sequence[Brief]) -> tuple[str, ...]:
    """Return the ids of the others that have their place."""
    return tuple(one.id for one in unfinished if not one.is_waiting and one.id != project.id)


def without_reserved(landscape: Landscape, projects: Iterable[Project]) -> Landscape:
    """Take off what projects that have a place need there, but do not use yet.

    What runs is in the orchestrator's own figures already.
    """
    memory: Counter[tuple[str, str]] = Counter()
    vcpus: Counter[tuple[str, str]] = Counter()
    for project in projects:
        for place in project.placements:
            if place.node and _is_coming(project, place):
                where = (place.cluster, place.node)
                is_learner = place.role is Role.LEARNER
                needs = project.sla.resource_constraints
                flavor = project.sla.ml_model_flavor
                memory[where] += needs.memory if is_learner else memory_mb(place.role, flavor)
                vcpus[where] += needs.vcpus if is_learner else 0
    nodes = tuple(
        replace(
            one,
            memory_mb=None
            if one.memory_mb is None
            else one.memory_mb - memory[one.cluster, one.name],
            vcpus=None if one.vcpus is None else one.vcpus - vcpus[one.cluster, one.name],
        )
        for one in landscape.nodes
    )
    return replace(landscape, nodes=nodes)


def _is_coming(project: Project, place: Placement) -> bool:
    """Say whether what goes there is still to come."""
    if project.stage.is_final:
        return False
    building = {Stage.BUILDING_ACTORS, Stage.BUILDING_MODEL}
    if place.role is Role.BUILDER and project.stage not in building:
        return False
    if place.role is not Role.BUILDER and project.stage not in {
        Stage.SUBMITTED,
        Stage.BUILDING_ACTORS,
        Stage.TRAINING,
    }:
        return False
    return not any(
        one.role is place.role and one.index == place.index and one.status == _USED
        for one in project.services
    )
