"""The life of a mock data provider: a smaller table of the same kind as ``lifecycle.py``."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from flops_contracts.events import DataProvided, Event, Failure, Progress
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
from flops_manager.domain.facts import MAX_STARTS, error_from_failure, error_of, seen
from flops_manager.domain.mocks import Mock
from flops_manager.domain.project_events import DeleteRequested, Placed, StepFailed
from flops_manager.domain.projects import Service

S = MockStage

MockEvent = Placed | DataProvided | StepFailed | DeleteRequested

_DEPLOY: Final = (Deploy(Role.MOCK_DATA_PROVIDER, S.PROVIDING),)
_UNDEPLOY: Final = (Undeploy(Role.MOCK_DATA_PROVIDER, S.PROVIDING),)


@dataclass(frozen=True)
class MockRow:
    """In ``stage``, ``event`` leads to ``target`` and to these commands."""

    stage: MockStage
    event: type[MockEvent]
    target: MockStage
    commands: tuple[Command, ...] = ()


MOCK_TRANSITIONS: Final[tuple[MockRow, ...]] = (
    MockRow(S.SUBMITTED, Placed, S.PROVIDING, _DEPLOY),
    MockRow(S.PROVIDING, DataProvided, S.COMPLETED, _UNDEPLOY),
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
    for row in MOCK_TRANSITIONS:
        if row.stage is mock.stage and isinstance(event, row.event):
            return _move(_with_facts(mock, event), row, now)
    raise IllegalTransitionError(f"{type(event).__name__} while {mock.stage}")


def mock_told(mock: Mock, event: Event) -> Mock:
    """Return the mock with what its provider told; its stage stays."""
    if mock.service is None or mock.service.instance != event.actor.instance:
        return mock
    told = replace(mock, service=seen(mock.service, event))
    if isinstance(event.payload, Progress) and not mock.stage.is_final:
        return replace(told, progress=event.payload)
    return told


def mock_event_from_told(mock: Mock, event: Event) -> MockEvent | None:
    """Return what a provider's message means for the mock's life, if anything."""
    service = mock.service
    if service is None or service.instance != event.actor.instance or event.stage != mock.stage:
        return None
    if isinstance(event.payload, Failure):
        return StepFailed(mock.stage, error_from_failure(event, event.payload))
    if isinstance(event.payload, DataProvided):
        return event.payload
    if service.starts > MAX_STARTS:
        reason = f"The provider ended without a result and was restarted {MAX_STARTS} times."
        return StepFailed(mock.stage, error_of(service, reason, event.at))
    return None


def _with_facts(mock: Mock, event: MockEvent) -> Mock:
    match event:
        case Placed(placements=(place, *_)):
            name = service_name(mock.id, Role.MOCK_DATA_PROVIDER)
            service = Service(
                Role.MOCK_DATA_PROVIDER, name, S.PROVIDING, cluster=place.cluster, node=place.node
            )
            return replace(mock, service=service, cluster=place.cluster, node=place.node)
        case DataProvided():
            return replace(mock, fragments=event.fragments)
        case StepFailed():
            return replace(mock, error=event.error)
        case DeleteRequested():
            return replace(mock, is_deleted=True)
        case _:
            return mock


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
