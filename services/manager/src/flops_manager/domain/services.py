"""Which services a command will start: named and recorded before the first of them exists."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from flops_contracts.names import service_name
from flops_contracts.roles import Role, Stage
from flops_manager.domain.commands import Command, Deploy
from flops_manager.domain.learners import REPLACEABLE, replaced_before
from flops_manager.domain.projects import Placement, Project, Service

FOR_GOOD: Final = frozenset({Role.OBSERVER, Role.TRACKING_SERVER})
"""What outlives stages and attempts, and whose loss ends nothing by itself."""

_BUILD_PART: Final = {Stage.BUILDING_ACTORS: "actors", Stage.BUILDING_MODEL: "model"}


def tracking_service(customer_id: str) -> str:
    """Return the service name of a customer's tracking server."""
    return service_name(customer_id, Role.TRACKING_SERVER)


def plan(project: Project, commands: Sequence[Command]) -> Project:
    """Return the project with a record of every service that ``commands`` will start.

    Whatever may run is on record before it runs, so that stopping never misses one.
    """
    for command in commands:
        if isinstance(command, Deploy):
            project = _with_planned(project, command)
    return project


def _with_planned(project: Project, command: Deploy) -> Project:
    wanted = _wanted(project, command)
    # Who was lost is remembered: others are started in its place, under other names.
    names = {one.instance for one in wanted}
    lost = {one.instance for one in project.learner_failures}
    kept = tuple(
        one
        for one in project.services
        if one.instance not in names
        and (one.instance in lost or not (one.is_removed and one.role is command.role))
    )
    there = tuple(one for one in project.services if one.instance in names and not one.is_removed)
    new = tuple(one for one in wanted if one.instance not in {old.instance for old in there})
    return replace(project, services=(*kept, *there, *new))


def _wanted(project: Project, command: Deploy) -> tuple[Service, ...]:
    """Return the services of a role in a stage; observer and tracking server outlive attempts."""
    role, stage = command.role, command.stage
    if role is Role.TRACKING_SERVER:
        return (Service(role, tracking_service(project.customer_id), stage),)
    if role is Role.OBSERVER:
        return (Service(role, service_name(project.id, role), stage),)
    return tuple(_placed(project, command, place) for place in placements_of(project, role))


def _placed(project: Project, command: Deploy, place: Placement) -> Service:
    """Return the service that belongs in a place, where it may follow one that was lost."""
    role, stage = command.role, command.stage
    service = Service(
        role=role,
        instance="",
        stage=stage,
        cluster=place.cluster,
        node=place.node,
        index=place.index,
        attempt=command.attempt,
    )
    before = replaced_before(project, service)
    part = _part(role, stage, place, command.attempt)
    return replace(
        service,
        instance=service_name(project.id, role, f"{part}n{len(before)}" if before else part),
        # Who knows the one that was lost knows it by its address.
        address=before[-1].address if before else "",
    )


def placements_of(project: Project, role: Role) -> tuple[Placement, ...]:
    """Return where the services of ``role`` go; nowhere in particular if nobody decided."""
    decided = tuple(one for one in project.placements if one.role is role)
    undecided = () if role is Role.CLUSTER_AGGREGATOR else (Placement(role),)
    return decided or undecided


def _part(role: Role, stage: str, place: Placement, attempt: int) -> str:
    part = str(place.index) if role in REPLACEABLE else _BUILD_PART.get(Stage(stage), "")
    return f"{part}r{attempt}" if attempt else part
