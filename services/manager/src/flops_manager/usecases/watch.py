"""Watching what runs: services that died without a word, and stages that take too long."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from flops_contracts.api.answers import ProjectError
from flops_contracts.events import ModelServing
from flops_contracts.ports import MODEL_PORT
from flops_contracts.roles import Stage
from flops_manager.domain.commands import Command, Deploy
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.deployments import ApplicationKey, application_of
from flops_manager.domain.errors import (
    IllegalTransitionError,
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    SubjectNotFoundError,
)
from flops_manager.domain.lifecycles import Changed, Lifecycle
from flops_manager.domain.liveness import with_heartbeat
from flops_manager.domain.losses import lost
from flops_manager.domain.observations import (
    deployed,
    is_gone,
    is_serving,
    loss,
    observed,
    overdue,
    silence,
    watched,
)
from flops_manager.domain.project_events import ProjectEvent, StepFailed
from flops_manager.domain.services import FOR_GOOD
from flops_manager.domain.states import ServiceState
from flops_manager.domain.subjects import PLANNED, Service, Subject
from flops_manager.metrics import LOOK_SECONDS, PROJECTS
from flops_manager.ports.event_bus import EventBus
from flops_manager.ports.heartbeats import Heartbeats
from flops_manager.ports.images import Images
from flops_manager.ports.orchestrator import Orchestrator
from flops_manager.ports.stores import Records
from flops_manager.usecases.builds import built
from flops_manager.usecases.changes import change

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=Subject)

SETTLING_SECONDS: Final = 300.0
"""How long services are watched after the end: an observer may end after its project."""

States = Mapping[ApplicationKey, Mapping[str, ServiceState]]


@dataclass(frozen=True)
class _Sight:
    """The orchestrator's answers from ``asked_at`` on; many applications take long."""

    asked_at: datetime
    states: States

    def of(
        self, service: Service, application: ApplicationKey
    ) -> Mapping[str, ServiceState] | None:
        """Return the states for ``service``, or None if it was deployed meanwhile."""
        if service.deployed_at is not None and service.deployed_at > self.asked_at:
            return None
        return self.states.get(application)


class Watch:
    """Compares what should run with what the orchestrator reports."""

    def __init__(
        self,
        kinds: Sequence[tuple[Lifecycle[Any], Records[Any]]],
        orchestrator: Orchestrator,
        images: Images,
        bus: EventBus,
        heartbeats: Heartbeats,
        limits: Limits,
        now: Callable[[], datetime],
    ) -> None:
        self._kinds = kinds
        self._orchestrator = orchestrator
        self._images = images
        self._bus = bus
        self._heartbeats = heartbeats
        self._limits = limits
        self._now = now
        self._began = now()

    def begin(self) -> None:
        """Count time from now on: nothing was watched before."""
        self._began = self._now()

    @LOOK_SECONDS.time()
    def look(self) -> None:
        """Look once at everything that runs or ended recently, and record the consequences."""
        ended_after = self._now() - timedelta(seconds=SETTLING_SECONDS)
        active = [(life, store, store.active(ended_after)) for life, store in self._kinds]
        subjects = [subject for _, _, some in active for subject in some]
        _count(subjects)
        sight = self._sight(_applications(subjects))
        for life, store, some in active:
            judge = partial(self._judge, life, sight)
            for subject in some:
                with suppress(SubjectNotFoundError):
                    change(store, subject.id, judge)

    def _sight(self, applications: Iterable[ApplicationKey]) -> _Sight:
        asked_at, states = self._now(), {}
        for application in applications:
            try:
                states[application] = self._orchestrator.states(application)
            except (OrchestratorUnavailableError, OrchestratorRefusedError) as error:
                logger.warning("cannot see the services of %s: %s", application.name, error)
        return _Sight(asked_at, states)

    def _judge(self, life: Lifecycle[S], sight: _Sight, subject: S) -> Changed[S]:
        now, heartbeats = self._now(), self._heartbeats.of(subject.id)
        if is_serving(subject, heartbeats):
            return _moved(life, subject, ModelServing(MODEL_PORT), now)
        late = overdue(subject, life, heartbeats, self._limits, self._began, now)
        if late is not None:
            meaning = built(self._images, subject) or StepFailed(subject.stage, late)
            return _moved(life, subject, meaning, now)
        subject = _seen(subject, sight.states, now)
        subject, commands = _with_foundation(subject, sight, now)
        for service in watched(subject):
            states = sight.of(service, application_of(subject, service.role))
            if states is None or subject.stage.is_final:
                continue
            alive = with_heartbeat(service, heartbeats)
            error = self._trouble(alive, states.get(service.instance), now)
            if error is not None:
                # A builder may have done its work, and only its report was lost.
                event = built(self._images, subject) or lost(subject, service.instance, error)
                subject, more = _moved(life, subject, event, now)
                commands += more
        return subject, commands

    def _trouble(
        self, service: Service, state: ServiceState | None, now: datetime
    ) -> ProjectError | None:
        hearing_since = self._bus.hearing_since()
        if hearing_since is not None:
            # Messages from before are only delivered now.
            hearing_since = max(hearing_since, self._began)
        return loss(service, state, self._limits, now) or silence(
            service, state, self._limits, hearing_since, now
        )


def _with_foundation(subject: S, sight: _Sight, now: datetime) -> Changed[S]:
    """Return the subject with commands that deploy again what it builds on and is gone.

    A root that was started again has forgotten the tracking server and the observer, too.
    """
    commands: tuple[Command, ...] = ()
    if subject.stage.is_final:
        return subject, commands
    for service in deployed(subject):
        states = sight.of(service, application_of(subject, service.role))
        if service.role in FOR_GOOD and states is not None and is_gone(service, states, now):
            logger.warning("%s is gone; it is deployed again", service.instance)
            subject = subject.with_service(replace(service, status=PLANNED, job_id=""))
            commands += (Deploy(service.role, service.stage),)
    return subject, commands


def _count(subjects: Iterable[Subject]) -> None:
    stages = Counter(each.stage for each in subjects if isinstance(each.stage, Stage))
    for stage in Stage:
        if not stage.is_final:
            PROJECTS.labels(str(stage)).set(stages[stage])


def _moved(life: Lifecycle[S], subject: S, event: ProjectEvent, now: datetime) -> Changed[S]:
    try:
        return life.transition(subject, event, now)
    except IllegalTransitionError as error:
        logger.info("dropped an observation of %s: %s", subject.id, error)
        return subject, ()


def _seen(subject: S, states: States, now: datetime) -> S:
    """Return the subject with every service as the orchestrator sees it."""
    for service in deployed(subject):
        state = states.get(application_of(subject, service.role), {}).get(service.instance)
        if state is not None:
            subject = subject.with_service(observed(service, state, now))
    return subject


def _applications(subjects: Iterable[Subject]) -> set[ApplicationKey]:
    return {application_of(each, service.role) for each in subjects for service in deployed(each)}
