"""Carrying out what a project's lifecycle commands; every effect can be repeated."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from flops_contracts.roles import Role
from flops_manager.domain.commands import (
    Announce,
    Command,
    CreateApplications,
    Deploy,
    Locate,
    Place,
    Remove,
    Undeploy,
    UndeployLost,
)
from flops_manager.domain.deployments import (
    MODEL_PORT,
    Installation,
    actors,
    application_of,
    helper,
    observatory,
)
from flops_manager.domain.descriptions import describe
from flops_manager.domain.errors import (
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    ServiceAddressTakenError,
)
from flops_manager.domain.learners import is_left_out, replaced_before
from flops_manager.domain.lifecycle import RUNS_IN, transition
from flops_manager.domain.observations import LOG_LINES, is_deployable, with_state
from flops_manager.domain.placement import left_out
from flops_manager.domain.project_events import ModelLocated, Placed, ProjectEvent, StepFailed
from flops_manager.domain.projects import (
    LOST,
    PLANNED,
    REMOVED,
    LearnerFailed,
    Project,
    ProjectError,
    Service,
)
from flops_manager.domain.services import FOR_GOOD
from flops_manager.domain.trainers import experiment_of
from flops_manager.ports.orchestrator import Deployed, Orchestrator
from flops_manager.ports.runs import Runs
from flops_manager.usecases.addresses import Addresses
from flops_manager.usecases.announcements import Announcements
from flops_manager.usecases.builds import Builds
from flops_manager.usecases.changes import Step, unchanged
from flops_manager.usecases.origins import about, located
from flops_manager.usecases.queue import Queue
from flops_manager.usecases.tracking import Tracking

logger = logging.getLogger(__name__)

AGGREGATORS: Final = frozenset({Role.AGGREGATOR, Role.CLUSTER_AGGREGATOR})
"""The roles that others dial, so that each has an address of its own."""


class ProjectSteps:
    """Does what a command says and returns how that changes the project."""

    def __init__(  # noqa: PLR0913, PLR0917 - each of them carries out other commands
        self,
        orchestrator: Orchestrator,
        addresses: Addresses,
        queue: Queue,
        tracking: Tracking,
        announcements: Announcements,
        builds: Builds,
        runs: Runs,
        installation: Installation,
        now: Callable[[], datetime],
    ) -> None:
        self._orchestrator = orchestrator
        self._addresses = addresses
        self._queue = queue
        self._tracking = tracking
        self._announcements = announcements
        self._builds = builds
        self._runs = runs
        self._installation = installation
        self._now = now

    def carry_out(  # noqa: C901, PLR0911 - a case per command
        self, project: Project, command: Command
    ) -> Step[Project] | None:
        """Do it; return the change that follows, or None if the project is no more."""
        if isinstance(command, Locate) and (project.stage.is_final or project.is_deleted):
            return unchanged
        match command:
            case Announce():
                self._announcements.announce(project.id, command, is_mock=False)
                return unchanged
            case CreateApplications():
                for application in (observatory, helper):
                    self._orchestrator.create_application(application(project.customer_id))
                self._orchestrator.create_application(actors(project))
                return unchanged
            case Place():
                return self._place(project)
            case Deploy():
                return self._deploy(project, command)
            case Undeploy():
                return self._undeploy(project, _of(project, command))
            case UndeployLost():
                return self._undeploy(
                    project, [one for one in project.services if is_left_out(project, one)]
                )
            case Locate():
                return self._locate(project)
            case Remove():
                self._remove(project)
                return None

    def wait(self, project: Project, why: str) -> Project:
        """Return the project with what it waits for."""
        return replace(project, waiting=why)

    def give_up(self, project: Project, error: ProjectError) -> Step[Project]:
        """Return what it means that a command cannot be carried out."""
        error = located(error, project.services)
        for service in project.services:
            if service.status == PLANNED and replaced_before(project, service):
                # Nobody can be put in the place of who was lost there.
                return self._record(LearnerFailed(service.instance, error))
        return self._record(StepFailed(project.stage, error))

    def _record(self, event: ProjectEvent) -> Step[Project]:
        return lambda project: transition(project, event, self._now())

    def _place(self, project: Project) -> Step[Project]:
        if project.stage.is_final or project.is_deleted:
            return unchanged
        landscape, placements = self._queue.place(project)
        return self._record(Placed(placements, left_out(project.sla, landscape)))

    def _deploy(self, project: Project, command: Deploy) -> Step[Project]:
        if not _is_wanted(project, command):
            logger.info("%s is no longer wanted in %s", command.role, project.id)
            return unchanged
        if command.role is Role.BUILDER and (built := self._builds.of(project)):
            logger.info("%s was built already", project.stage, extra={"project": project.id})
            return self._record(built)
        found = {
            service.instance: self._deploy_one(project, service)
            for service in _of(project, command)
            if is_deployable(service)
        }

        def step(current: Project) -> tuple[Project, tuple[Command, ...]]:
            for name, deployed in found.items():
                service = current.service(name)
                if service is not None:
                    current = current.with_service(_deployed(service, deployed, self._now()))
            return current, ()

        return step

    def _deploy_one(self, project: Project, service: Service) -> Deployed:
        logger.info("deploying %s", service.instance, extra={"project": project.id})
        with about(service):
            if service.role is Role.TRACKING_SERVER:
                return self._tracking.ensure(project.customer_id)
            if service.role in AGGREGATORS:
                return self._deploy_aggregator(project, service)
            return self._orchestrator.deploy(describe(project, service, self._installation))

    def _deploy_aggregator(self, project: Project, service: Service) -> Deployed:
        """Deploy it where nobody is, or else where its learners look for the one before it."""
        if not service.address:
            return self._addresses.deploy(
                service.instance,
                lambda address: describe(project, service, self._installation, address),
            )
        try:
            return self._orchestrator.deploy(
                describe(project, service, self._installation, service.address)
            )
        except ServiceAddressTakenError as error:
            raise OrchestratorUnavailableError(
                f"The address {service.address} is still taken by the aggregator that was lost.",
                hint="See whether the orchestrator has removed it.",
            ) from error

    def _undeploy(self, project: Project, services: Iterable[Service]) -> Step[Project]:
        there = [one for one in services if not one.is_removed]
        logs = self._last_lines(project, there)
        for service in there:
            logger.info("undeploying %s", service.instance, extra={"project": project.id})
            self._orchestrator.undeploy(
                application_of(project, service.role), service.instance, service.job_id
            )

        def step(current: Project) -> tuple[Project, tuple[Command, ...]]:
            for name in (one.instance for one in there):
                service = current.service(name)
                if service is not None:
                    lines = logs.get(name) or service.last_lines
                    current = current.with_service(_undeployed(service, lines))
            return current, ()

        return step

    def _last_lines(
        self, project: Project, services: Sequence[Service]
    ) -> Mapping[str, tuple[str, ...]]:
        """Return the ends of the services' logs while they are there; nothing depends on it."""
        lines: dict[str, tuple[str, ...]] = {}
        roles = {one.role for one in services if one.job_id}
        with suppress(OrchestratorUnavailableError, OrchestratorRefusedError):
            for role in sorted(roles):
                states = self._orchestrator.states(application_of(project, role))
                for name, state in states.items():
                    lines[name] = tuple(state.logs.splitlines()[-LOG_LINES:])
        return lines

    def _locate(self, project: Project) -> Step[Project]:
        states = self._orchestrator.states(helper(project.customer_id))
        for service in project.present(Role.MODEL_SERVER):
            state = states.get(service.instance)
            if state is not None and state.public_address:
                located = ModelLocated(f"http://{state.public_address}:{MODEL_PORT}")
                seen = with_state(service, state)
                return lambda one: transition(one.with_service(seen), located, self._now())
        raise OrchestratorUnavailableError(
            "The orchestrator does not say yet where the model is served.",
            hint="Look at the instance of the model server.",
        )

    def _remove(self, project: Project) -> None:
        for service in project.services:
            if service.role is not Role.TRACKING_SERVER and not service.is_removed:
                self._orchestrator.undeploy(
                    application_of(project, service.role), service.instance, service.job_id
                )
        self._orchestrator.remove_application(actors(project))
        url = self._tracking.found(project.customer_id) if project.takes_runs_along else ""
        if url:
            self._runs.forget(url, experiment_of(project), project.trained)


def _of(project: Project, command: Deploy | Undeploy) -> tuple[Service, ...]:
    """Return the services that a command means; what outlives attempts belongs to each."""
    return tuple(
        one
        for one in project.present(command.role, command.stage)
        if one.attempt == command.attempt or one.role in FOR_GOOD
    )


def _is_wanted(project: Project, command: Deploy) -> bool:
    """Say whether the project is still where it wants what was commanded a moment ago."""
    if project.is_deleted:
        return False
    return command.role in FOR_GOOD or (
        project.stage == command.stage
        and command.role in RUNS_IN[project.stage]
        and project.attempt == command.attempt
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


def _deployed(service: Service, deployed: Deployed, now: datetime) -> Service:
    """Return the service as deployed, unless it was removed in the meantime."""
    if service.is_removed:
        return service
    if service.job_id == deployed.job_id:
        return service
    return replace(
        service,
        job_id=deployed.job_id,
        address=deployed.address or service.address,
        status="REQUESTED",
        deployed_at=now,
    )
