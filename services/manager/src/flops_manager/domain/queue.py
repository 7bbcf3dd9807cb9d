"""The order of projects that do not all fit, and what the running ones will still need."""

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
    """A project that has not ended, as far as the queue needs it."""

    id: str
    customer_id: str
    stage: str
    created_at: datetime

    @property
    def is_waiting(self) -> bool:
        """Return whether it has no place yet."""
        return self.stage == Stage.SUBMITTED


def ahead_of(project: Project, unfinished: Sequence[Brief]) -> tuple[str, ...]:
    """Return the ids of those that were submitted before it and have no place yet, in order."""
    waiting = sorted((brief.created_at, brief.id) for brief in unfinished if brief.is_waiting)
    own = (project.created_at, project.id)
    return tuple(project_id for created_at, project_id in waiting if (created_at, project_id) < own)


def running_beside(project: Project, unfinished: Sequence[Brief]) -> tuple[str, ...]:
    """Return the ids of the others that have their place."""
    return tuple(
        brief.id for brief in unfinished if not brief.is_waiting and brief.id != project.id
    )


def without_reserved(landscape: Landscape, projects: Iterable[Project]) -> Landscape:
    """Return the landscape without what placed projects need there, but do not use yet.

    The orchestrator's own figures include what runs already.
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
            node,
            memory_mb=None
            if node.memory_mb is None
            else node.memory_mb - memory[node.cluster, node.name],
            vcpus=None if node.vcpus is None else node.vcpus - vcpus[node.cluster, node.name],
        )
        for node in landscape.nodes
    )
    return replace(landscape, nodes=nodes)


def _is_coming(project: Project, place: Placement) -> bool:
    """Return whether the service of this place is still to come."""
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
        service.role is place.role and service.index == place.index and service.status == _USED
        for service in project.services
    )
