"""Watching what runs: services that died without a word, and stages that take too long."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flops_contracts.events import ModelServing
from flops_contracts.roles import Stage
from flops_manager.domain.commands import Command
from flops_manager.domain.deployments import MODEL_PORT, ApplicationKey, application_of, helper
from flops_manager.domain.errors import (
    IllegalTransitionError,
    MockNotFoundError,
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    ProjectNotFoundError,
)
from flops_manager.domain.lifecycle import transition
from flops_manager.domain.liveness import with_heartbeat
from flops_manager.domain.losses import lost
from flops_manager.domain.mock_lifecycle import mock_transition
from flops_manager.domain.mocks import Mock
from flops_manager.domain.observations import (
    Limits,
    deployed,
    is_serving,
    loss,
    observed,
    overdue,
    silence,
    watched,
)
from flops_manager.domain.project_events import ProjectEvent, StepFailed
from flops_manager.domain.projects import Project, ProjectError, Service
from flops_manager.domain.states import ServiceState
from flops_manager.metrics import LOOK_SECONDS, PROJECTS
from flops_manager.ports.event_bus import EventBus
from flops_manager.ports.heartbeats import Heartbeats
from flops_manager.ports.orchestrator import Orchestrator
from flops_manager.ports.stores import MockStore, ProjectStore
from flops_manager.usecases.builds import Builds
from flops_manager.usecases.changes import change

logger = logging.getLogger(__name__)

SETTLING_SECONDS: Final = 300.0
"""How long the services of what ended are looked at: an observer may outrun its project."""

States = Mapping[ApplicationKey, Mapping[str, ServiceState]]


@dataclass(frozen=True)
class _Sight:
    """What the orchestrator reported from ``asked_at`` on; with many applications it takes long."""

    asked_at: datetime
    states: States

    def of(
        self, service: Service, application: ApplicationKey
    ) -> Mapping[str, ServiceState] | None:
        """Return what can be said of ``service``: of one deployed meanwhile, nothing."""
        if service.deployed_at is not None and service.deployed_at > self.asked_at:
            return None
        return self.states.get(application)


class Watch:
    """Compares what should run with what the orchestrator reports."""

    def __init__(
        self,
        projects: ProjectStore,
        mocks: MockStore,
        orchestrator: Orchestrator,
        builds: Builds,
        bus: EventBus,
        heartbeats: Heartbeats,
        limits: Limits,
        now: Callable[[], datetime],
    ) -> None:
        self._projects = projects
        self._mocks = mocks
        self._orchestrator = orchestrator
        self._builds = builds
        self._bus = bus
        self._heartbeats = heartbeats
        self._limits = limits
        self._now = now
        self._began = now()

    def begin(self) -> None:
        """Count time from now on: until now nobody watched."""
        self._began = self._now()

    @LOOK_SECONDS.time()
    def look(self) -> None:
        """Look once at everything that is going on or only just ended; record what that means."""
        ended_after = self._now() - timedelta(seconds=SETTLING_SECONDS)
        projects = tuple(self._projects.active(ended_after))
        mocks = tuple(self._mocks.active(ended_after))
        _count(projects)
        sight = self._sight(_applications(projects, mocks))
        for project in projects:
            with suppress(ProjectNotFoundError):
                change(self._projects, project.id, lambda one: self._judge(one, sight))
        for mock in mocks:
            with suppress(MockNotFoundError):
                change(self._mocks, mock.id, lambda one: self._judge_mock(one, sight))

    def _sight(self, applications: Iterable[ApplicationKey]) -> _Sight:
        asked_at, found = self._now(), {}
        for application in applications:
            try:
                found[application] = self._orchestrator.states(application)
            except (OrchestratorUnavailableError, OrchestratorRefusedError) as error:
                logger.warning("cannot see the services of %s: %s", application.name, error)
        return _Sight(asked_at, found)

    def _judge(self, project: Project, sight: _Sight) -> tuple[Project, tuple[Command, ...]]:
        now, heartbeats = self._now(), self._heartbeats.of(project.id)
        if is_serving(project, heartbeats):
            return _moved(project, ModelServing(MODEL_PORT), now)
        late = overdue(project, heartbeats, self._limits, self._began, now)
        if late is not None:
            return _moved(project, self._builds.of(project) or StepFailed(project.stage, late), now)
        project = _seen(project, sight.states, now)
        commands: tuple[Command, ...] = ()
        for service in watched(project):
            seen = sight.of(service, application_of(project, service.role))
            if seen is None or project.stage.is_final:
                continue
            alive = with_heartbeat(service, heartbeats)
            error = self._trouble(alive, seen.get(service.instance), now)
            if error is not None:
                # A builder may have done its work, and only its word was lost.
                event = self._builds.of(project) or lost(project, service.instance, error)
                project, more = _moved(project, event, now)
                commands += more
        return project, commands

    def _trouble(
        self, service: Service, state: ServiceState | None, now: datetime
    ) -> ProjectError | None:
        hearing_since = self._bus.hearing_since()
        if hearing_since is not None:
            # What was said before somebody listened is only now being told.
            hearing_since = max(hearing_since, self._began)
        return loss(service, state, self._limits, now) or silence(
            service, state, self._limits, hearing_since, now
        )

    def _judge_mock(self, mock: Mock, sight: _Sight) -> tuple[Mock, tuple[Command, ...]]:
        now, error = self._now(), None
        heartbeats = self._heartbeats.of(mock.id)
        for service in mock.services:
            seen = sight.of(service, helper(mock.customer_id))
            # Who is done may end, and be gone.
            is_over = service.is_removed or service.instance in mock.provided
            if seen is None or is_over or not service.job_id:
                continue
            state = seen.get(service.instance)
            if state is not None:
                service = observed(service, state, now)  # noqa: PLW2901 - the same, as seen now
                mock = mock.with_service(service)
            alive = with_heartbeat(service, heartbeats)
            error = error or self._trouble(alive, state, now)
        error = error or self._late_mock(mock, now)
        if error is None or mock.stage.is_final or mock.is_deleted:
            return mock, ()
        return mock_transition(mock, StepFailed(mock.stage, error), now)

    def _late_mock(self, mock: Mock, now: datetime) -> ProjectError | None:
        seconds = self._limits.providing_seconds
        if (now - max(self._began, mock.created_at)).total_seconds() <= seconds:
            return None
        return ProjectError(f"No data were provided within {seconds:.0f} s.", mock.stage, at=now)


def _count(projects: Iterable[Project]) -> None:
    stages = Counter(one.stage for one in projects)
    for stage in Stage:
        if not stage.is_final:
            PROJECTS.labels(str(stage)).set(stages[stage])


def _moved(
    project: Project, event: ProjectEvent, now: datetime
) -> tuple[Project, tuple[Command, ...]]:
    try:
        return transition(project, event, now)
    except IllegalTransitionError as error:
        logger.info("dropped an observation of %s: %s", project.id, error)
        return project, ()


def _seen(project: Project, states: States, now: datetime) -> Project:
    """Return the project with every service as the orchestrator sees it."""
    for service in deployed(project):
        state = states.get(application_of(project, service.role), {}).get(service.instance)
        if state is not None:
            project = project.with_service(observed(service, state, now))
    return project


def _applications(projects: Iterable[Project], mocks: Iterable[Mock]) -> set[ApplicationKey]:
    wanted = {application_of(one, each.role) for one in projects for each in deployed(one)}
    return wanted | {
        helper(mock.customer_id) for mock in mocks if any(one.job_id for one in mock.services)
    }
