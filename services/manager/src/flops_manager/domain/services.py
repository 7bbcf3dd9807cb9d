"""Which services a command will start: named and recorded before the first of them exists."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

from flops_contracts.names import service_name
from flops_contracts.roles import Role, Stage
from flops_manager.domain.commands import Command, Deploy
from flops_manager.domain.learners import REPLACEABLE, replaced_before
from flops_manager.domain.subjects import Placement, Service, Subject

S = TypeVar("S", bound=Subject)

FOR_GOOD: Final = frozenset({Role.OBSERVER, Role.TRACKING_SERVER})
"""The roles that outlive stages and attempts, and whose loss ends nothing by itself."""

_BUILD_PART: Final[dict[str, str]] = {
    Stage.BUILDING_ACTORS: "actors",
    Stage.BUILDING_MODEL: "model",
}


def tracking_service(customer_id: str) -> str:
    """Return the service name of a customer's tracking server."""
    return service_name(customer_id, Role.TRACKING_SERVER)


def plan(subject: S, commands: Sequence[Command]) -> S:
    """Return the subject with a record of every service that ``commands`` will start.

    Whatever may run is on record before it runs, so that stopping never misses a service.
    """
    for command in commands:
        if isinstance(command, Deploy):
            subject = _with_planned(subject, command)
    return subject


def _with_planned(subject: S, command: Deploy) -> S:
    planned = _planned(subject, command)
    names = {service.instance for service in planned}
    # Lost services stay on record: others are started in their place, under other names.
    lost = {failure.instance for failure in subject.learner_failures}
    others = tuple(
        service
        for service in subject.services
        if service.instance not in names
        and (service.instance in lost or not (service.is_removed and service.role is command.role))
    )
    present = tuple(
        service
        for service in subject.services
        if service.instance in names and not service.is_removed
    )
    present_names = {service.instance for service in present}
    new = tuple(service for service in planned if service.instance not in present_names)
    return replace(subject, services=(*others, *present, *new))


def _planned(subject: Subject, command: Deploy) -> tuple[Service, ...]:
    """Return the services of a role in a stage; observer and tracking server outlive attempts."""
    role, stage = command.role, command.stage
    if role is Role.TRACKING_SERVER:
        return (Service(role, tracking_service(subject.customer_id), stage),)
    if role is Role.OBSERVER:
        return (Service(role, service_name(subject.id, role), stage),)
    return tuple(_placed(subject, command, place) for place in placements_of(subject, role))


def _placed(subject: Subject, command: Deploy, place: Placement) -> Service:
    """Return the service that belongs in a place, perhaps as the successor of a lost one."""
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
    before = replaced_before(subject, service)
    part = _part(role, stage, place, command.attempt)
    return replace(
        service,
        instance=service_name(subject.id, role, f"{part}n{len(before)}" if before else part),
        # Its peers know the lost one by its address.
        address=before[-1].address if before else "",
    )


def placements_of(subject: Subject, role: Role) -> tuple[Placement, ...]:
    """Return where the services of ``role`` go; a placement without a node if that is open."""
    decided = tuple(place for place in subject.placements if place.role is role)
    undecided = () if role is Role.CLUSTER_AGGREGATOR else (Placement(role),)
    return decided or undecided


def _part(role: Role, stage: str, place: Placement, attempt: int) -> str:
    is_numbered = role in REPLACEABLE or place.index
    part = str(place.index) if is_numbered else _BUILD_PART.get(stage, "")
    return f"{part}r{attempt}" if attempt else part
