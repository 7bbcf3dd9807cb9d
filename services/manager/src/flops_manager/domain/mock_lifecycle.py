"""The life of a mock data provider: a smaller table of the same kind as ``lifecycle.py``."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from flops_contracts.events import DataProvided, Event, Failure, Fragment, Progress
from flops_contracts.names import service_name
from flops_contracts.roles import MockStage, Role
from flops_manager.domain.commands import (
    Announce,
    Command,
    CreateApplications,
    Deploy,
    Place,
    Remove,
    Undeploy,
)
from flops_manager.domain.errors import IllegalTransitionError
from flops_manager.domain.facts import seen
from flops_manager.domain.losses import MAX_STARTS, error_from_failure, error_of
from flops_manager.domain.mocks import Mock
from flops_manager.domain.project_events import DeleteRequested, Placed, StepFailed
from flops_manager.domain.projects import Placement, Service

S = MockStage


@dataclass(frozen=True)
class NodeProvided:
    """The provider ``instance`` stored the partitions of its node."""

    instance: str
    fragments: tuple[Fragment, ...]


MockEvent = Placed | NodeProvided | StepFailed | DeleteRequested

_DEPLOY: Final = (Deploy(Role.MOCK_DATA_PROVIDER, S.PROVIDING),)
_UNDEPLOY: Final = (Undeploy(Role.MOCK_DATA_PROVIDER, S.PROVIDING),)


def every_node_is_done(mock: Mock) -> bool:
    """Say whether all providers stored what they have to."""
    return {one.instance for one in mock.services} <= set(mock.provided)


def always(_mock: Mock) -> bool:
    """Guard nothing."""
    return True


@dataclass(frozen=True)
class MockRow:
    """In ``stage``, ``event`` leads to ``target`` and to these commands, ``when`` that is so."""

    stage: MockStage
    event: type[MockEvent]
    target: MockStage
    commands: tuple[Command, ...] = ()
    when: Callable[[Mock], bool] = always


MOCK_TRANSITIONS: Final[tuple[MockRow, ...]] = (
    MockRow(S.SUBMITTED, Placed, S.PROVIDING, _DEPLOY),
    MockRow(S.PROVIDING, NodeProvided, S.COMPLETED, _UNDEPLOY, every_node_is_done),
    MockRow(S.PROVIDING, NodeProvided, S.PROVIDING),
    MockRow(S.SUBMITTED, StepFailed, S.FAILED),
    MockRow(S.PROVIDING, StepFailed, S.FAILED, _UNDEPLOY),
    # What is deleted is stopped first; the data that it stored stay.
    MockRow(S.SUBMITTED, DeleteRequested, S.CANCELLED, (Remove(),)),
    MockRow(S.PROVIDING, DeleteRequested, S.CANCELLED, (*_UNDEPLOY, Remove())),
    *(MockRow(stage, DeleteRequested, stage, (Remove(),)) for stage in S if stage.is_final),
)


def submitted_mock(mock: Mock) -> tuple[Mock, tuple[Command, ...]]:
    """Return a new mock as it is first stored, and the commands that start it."""
    return mock, (Announce(S.SUBMITTED, ""), CreateApplications(), Place())


def mock_transition(
    mock: Mock, event: MockEvent, now: datetime
) -> tuple[Mock, tuple[Command, ...]]:
    """Return the mock after ``event``, and the commands that make it true.

    Raises ``IllegalTransitionError`` for what cannot happen in this stage.
    """
    if mock.is_deleted or (isinstance(event, StepFailed) and event.stage != mock.stage):
        raise IllegalTransitionError(f"{type(event).__name__} comes too late for {mock.id}")
    known = _with_facts(mock, event)
    for row in MOCK_TRANSITIONS:
        if row.stage is mock.stage and isinstance(event, row.event) and row.when(known):
            return _move(known, row, now)
    raise IllegalTransitionError(f"{type(event).__name__} while {mock.stage}")


def mock_told(mock: Mock, event: Event, heard_at: datetime | None = None) -> Mock:
    """Return the mock with what its provider told; its stage stays."""
    service = mock.find_service(event.actor.instance)
    if service is None:
        return mock
    told = mock.with_service(seen(service, event, heard_at))
    if isinstance(event.payload, Progress) and not mock.stage.is_final:
        return replace(told, progress=event.payload)
    return told


def mock_event_from_told(mock: Mock, event: Event) -> MockEvent | None:
    """Return what a provider's message means for the mock's life, if anything."""
    service = mock.find_service(event.actor.instance)
    if service is None or event.stage != mock.stage or service.instance in mock.provided:
        return None
    if isinstance(event.payload, Failure):
        return StepFailed(mock.stage, error_from_failure(event, event.payload))
    if isinstance(event.payload, DataProvided):
        return NodeProvided(service.instance, event.payload.fragments)
    if service.starts > MAX_STARTS:
        reason = f"The provider ended without a result and was restarted {MAX_STARTS} times."
        return StepFailed(mock.stage, error_of(service, reason, event.at))
    return None


def _with_facts(mock: Mock, event: MockEvent) -> Mock:
    match event:
        case Placed():
            return replace(mock, services=tuple(_planned(mock, one) for one in event.placements))
        case NodeProvided():
            stored = sorted((*mock.fragments, *event.fragments), key=lambda one: one.partition or 0)
            provided = (*mock.provided, event.instance)
            return replace(mock, fragments=tuple(stored), provided=provided)
        case StepFailed():
            return replace(mock, error=event.error)
        case DeleteRequested():
            return replace(mock, is_deleted=True)


def _planned(mock: Mock, place: Placement) -> Service:
    role = Role.MOCK_DATA_PROVIDER
    return Service(
        role=role,
        instance=service_name(mock.id, role, str(place.index) if place.index else ""),
        stage=S.PROVIDING,
        cluster=place.cluster,
        node=place.node,
        index=place.index,
    )


def _move(mock: Mock, row: MockRow, now: datetime) -> tuple[Mock, tuple[Command, ...]]:
    moved = replace(mock, stage=row.target, updated_at=now)
    if row.target is row.stage:
        return moved, row.commands
    error = moved.error
    announce = Announce(
        stage=row.target,
        previous=row.stage,
        reason=error.reason if error else "",
        hint=error.hint if error else "",
    )
    return replace(moved, progress=None), (announce, *row.commands)
