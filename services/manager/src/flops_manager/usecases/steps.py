"""Carrying out what a lifecycle commands; every effect can be repeated."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from flops_contracts.api.answers import LearnerFailed, ProjectError
from flops_contracts.roles import Role
from flops_manager.domain.commands import (
    Announce,
    Command,
    CreateApplications,
    Deploy,
    Place,
    Remove,
    Undeploy,
)
from flops_manager.domain.deployments import Installation, application_of
from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError
from flops_manager.domain.learners import replaced_before
from flops_manager.domain.lifecycles import Changed, Lifecycle
from flops_manager.domain.observations import LOG_LINES, is_deployable
from flops_manager.domain.project_events import Placed, ProjectEvent, StepFailed
from flops_manager.domain.services import FOR_GOOD
from flops_manager.domain.subjects import LOST, PLANNED, REMOVED, Service, Subject
from flops_manager.ports.images import Images
from flops_manager.ports.orchestrator import Deployed, Orchestrator
from flops_manager.usecases.announcements import Announcements
from flops_manager.usecases.builds import built
from flops_manager.usecases.changes import Step, unchanged
from flops_manager.usecases.origins import about, located

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=Subject)


@dataclass(frozen=True)
class Tools:
    """The ports and values that the steps of every kind of subject need."""

    orchestrator: Orchestrator
    announcements: Announcements
    images: Images
    installation: Installation
    now: Callable[[], datetime]


class Steps(ABC, Generic[S]):
    """Does what a command says and returns how that changes the subject."""

    def __init__(self, life: Lifecycle[S], tools: Tools) -> None:
        self._life = life
        self._orchestrator = tools.orchestrator
        self._announcements = tools.announcements
        self._images = tools.images
        self._installation = tools.installation
        self._now = tools.now

    @abstractmethod
    def _placed(self, subject: S) -> Placed:
        """Return what goes where; raise ``NotPlaceableError``, or ``NotYetError`` to wait."""

    @abstractmethod
    def _deployed(self, subject: S, service: Service) -> Deployed:
        """Deploy one service."""

    def carry_out(  # noqa: C901, PLR0911 - a case per command
        self, subject: S, command: Command
    ) -> Step[S] | None:
        """Do it; return the change that follows, or None if the subject is gone."""
        match command:
            case Announce():
                self._announcements.announce(subject, command)
                return unchanged
            case CreateApplications():
                applications = {application_of(subject, role) for role in self._life.roles}
                for application in sorted(applications, key=str):
                    self._orchestrator.create_application(application)
                return unchanged
            case Place():
                if subject.stage.is_final or subject.is_deleted:
                    return unchanged
                return self._record(self._placed(subject))
            case Deploy():
                return self._deploy(subject, command)
            case Undeploy():
                return self._undeploy(subject, _services_of(subject, command))
            case Remove():
                self._remove(subject)
                return None
            case _:
                raise ValueError(f"a {subject.noun} cannot {command}")

    def give_up(self, subject: S, error: ProjectError) -> Step[S]:
        """Return what it means that a command cannot be carried out."""
        error = located(error, subject.services)
        for service in subject.services:
            if service.status == PLANNED and replaced_before(subject, service):
                # The lost service cannot be replaced.
                return self._record(LearnerFailed(service.instance, error))
        return self._record(StepFailed(subject.stage, error))

    def _record(self, event: ProjectEvent) -> Step[S]:
        return lambda subject: self._life.transition(subject, event, self._now())

    def _deploy(self, subject: S, command: Deploy) -> Step[S]:
        if not self._is_needed(subject, command):
            logger.info("%s is no longer needed in %s", command.role, subject.id)
            return unchanged
        if command.role is Role.BUILDER and (result := built(self._images, subject)):
            logger.info("%s was built already", subject.stage, extra={"project": subject.id})
            return self._record(result)
        deployments: dict[str, Deployed] = {}
        for service in _services_of(subject, command):
            if is_deployable(service):
                logger.info("deploying %s", service.instance, extra={"project": subject.id})
                with about(service):
                    deployments[service.instance] = self._deployed(subject, service)

        def step(current: S) -> Changed[S]:
            for name, deployed in deployments.items():
                service = current.service(name)
                if service is not None:
                    current = current.with_service(_requested(service, deployed, self._now()))
            return current, ()

        return step

    def _is_needed(self, subject: S, command: Deploy) -> bool:
        """Return whether the subject is still where it was when this was commanded."""
        if subject.is_deleted:
            return False
        return command.role in FOR_GOOD or (
            subject.stage == command.stage
            and command.role in self._life.runs_in[subject.stage]
            and subject.attempt == command.attempt
        )

    def _undeploy(self, subject: S, services: Iterable[Service]) -> Step[S]:
        present = [service for service in services if not service.is_removed]
        logs = self._last_lines(subject, present)
        for service in present:
            logger.info("undeploying %s", service.instance, extra={"project": subject.id})
            self._remove_service(subject, service)

        def step(current: S) -> Changed[S]:
            for name in (service.instance for service in present):
                service = current.service(name)
                if service is not None:
                    lines = logs.get(name) or service.last_lines
                    current = current.with_service(_undeployed(service, lines))
            return current, ()

        return step

    def _last_lines(self, subject: S, services: Sequence[Service]) -> Mapping[str, tuple[str, ...]]:
        """Return the ends of the services' logs while they exist; nothing depends on them."""
        lines: dict[str, tuple[str, ...]] = {}
        roles = {service.role for service in services if service.job_id}
        with suppress(OrchestratorUnavailableError, OrchestratorRefusedError):
            for application in {application_of(subject, role) for role in roles}:
                for name, state in self._orchestrator.states(application).items():
                    lines[name] = tuple(state.logs.splitlines()[-LOG_LINES:])
        return lines

    def _remove(self, subject: S) -> None:
        """Remove everything that the subject still has at the orchestrator."""
        for service in subject.services:
            # A customer's tracking server is shared by all projects.
            if service.role is not Role.TRACKING_SERVER and not service.is_removed:
                self._remove_service(subject, service)

    def _remove_service(self, subject: S, service: Service) -> None:
        application = application_of(subject, service.role)
        self._orchestrator.undeploy(application, service.instance, service.job_id)


def _services_of(subject: Subject, command: Deploy | Undeploy) -> tuple[Service, ...]:
    """Return the services that a command means, in any attempt those that outlive attempts."""
    return tuple(
        service
        for service in subject.present(command.role, command.stage)
        if service.attempt == command.attempt or service.role in FOR_GOOD
    )


def _undeployed(service: Service, lines: tuple[str, ...]) -> Service:
    """Return the service as removed; or, if it only got lost, as to be deployed again there."""
    if service.status != LOST:
        return replace(service, status=REMOVED, last_lines=lines)
    return replace(
        service,
        status=PLANNED,
        job_id="",
        state="",
        round=None,
        memory_mb=None,
        rows=None,
        starts=0,
        deployed_at=None,
        running_since=None,
        last_heartbeat=None,
        last_lines=lines,
    )


def _requested(service: Service, deployed: Deployed, now: datetime) -> Service:
    """Return the service as deployed, unless it was removed in the meantime."""
    if service.is_removed:
        return service
    if service.job_id == deployed.job_id:
        return service
    return replace(
        service,
        job_id=deployed.job_id,
        address=deployed.address or service.address,
        port=deployed.port or service.port,
        status="REQUESTED",
        deployed_at=now,
    )
