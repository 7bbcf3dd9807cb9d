"""The life of a mock data provider: a smaller table of the same kind as ``lifecycle.py``."""

from dataclasses import replace
from typing import Final

from flops_contracts.roles import MockStage, Role
from flops_manager.domain.commands import CreateApplications, Deploy, Place, Remove, Undeploy
from flops_manager.domain.deadlines import mock_limit
from flops_manager.domain.facts import common_facts, common_message
from flops_manager.domain.lifecycles import Lifecycle, Row
from flops_manager.domain.mocks import Mock
from flops_manager.domain.project_events import (
    DataStored,
    DeleteRequested,
    Placed,
    ProjectEvent,
    StepFailed,
)

S = MockStage

_DEPLOY: Final = (Deploy(Role.MOCK_DATA_PROVIDER, S.PROVIDING),)
_UNDEPLOY: Final = (Undeploy(Role.MOCK_DATA_PROVIDER, S.PROVIDING),)


def every_node_is_done(mock: Mock) -> bool:
    """Return whether all providers stored their partitions."""
    return {service.instance for service in mock.services} <= mock.delivered


def mock_facts(mock: Mock, event: ProjectEvent) -> Mock:
    """Return the mock with what ``event`` makes known."""
    if not isinstance(event, DataStored):
        return common_facts(mock, event)
    fragments = sorted(
        (*mock.fragments, *event.fragments), key=lambda fragment: fragment.partition or 0
    )
    provided = (*mock.provided, event.instance)
    return replace(mock, fragments=tuple(fragments), provided=provided)


MOCKS: Final = Lifecycle(
    noun=Mock.noun,
    runs_in={S.SUBMITTED: (), S.PROVIDING: (Role.MOCK_DATA_PROVIDER,)},
    prepare=(CreateApplications(), Place()),
    rows=(
        Row(S.SUBMITTED, Placed, S.PROVIDING, _DEPLOY),
        Row(S.PROVIDING, DataStored, S.COMPLETED, _UNDEPLOY, every_node_is_done),
        Row(S.PROVIDING, DataStored, S.PROVIDING),
        Row(S.SUBMITTED, StepFailed, S.FAILED),
        Row(S.PROVIDING, StepFailed, S.FAILED, _UNDEPLOY),
        # A deleted mock is stopped first; the data that it stored stay.
        Row(S.SUBMITTED, DeleteRequested, S.CANCELLED, (Remove(),)),
        Row(S.PROVIDING, DeleteRequested, S.CANCELLED, (*_UNDEPLOY, Remove())),
        *(Row(stage, DeleteRequested, stage, (Remove(),)) for stage in S if stage.is_final),
    ),
    with_facts=mock_facts,
    with_message=common_message,
    limit=mock_limit,
)
