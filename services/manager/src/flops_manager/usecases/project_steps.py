"""Carrying out what only a project's lifecycle commands; see ``steps.py``."""

from typing import Final

from flops_contracts.ports import MODEL_PORT
from flops_contracts.roles import Role
from flops_manager.domain.commands import Command, Locate, UndeployLost
from flops_manager.domain.deployments import actors, helper
from flops_manager.domain.descriptions import describe
from flops_manager.domain.errors import OrchestratorUnavailableError, ServiceAddressTakenError
from flops_manager.domain.learners import is_left_out
from flops_manager.domain.lifecycle import PROJECTS
from flops_manager.domain.observations import with_state
from flops_manager.domain.placement import left_out
from flops_manager.domain.project_events import ModelLocated, Placed
from flops_manager.domain.projects import Project
from flops_manager.domain.subjects import Service
from flops_manager.domain.trainers import experiment_of
from flops_manager.ports.orchestrator import Deployed
from flops_manager.ports.runs import Runs
from flops_manager.usecases.addresses import Addresses
from flops_manager.usecases.changes import Step, unchanged
from flops_manager.usecases.queue import Queue
from flops_manager.usecases.steps import Steps, Tools
from flops_manager.usecases.tracking import Tracking

AGGREGATORS: Final = frozenset({Role.AGGREGATOR, Role.CLUSTER_AGGREGATOR})
"""The roles that others dial, so that each has an address of its own."""

PUBLISHED: Final = frozenset({Role.MODEL_SERVER, Role.OBSERVER})
"""The roles that users dial, so that each has a port of its own; as a tracking server has."""


class ProjectSteps(Steps[Project]):
    """Does what a command says and returns how that changes the project."""

    def __init__(
        self, tools: Tools, addresses: Addresses, queue: Queue, tracking: Tracking, runs: Runs
    ) -> None:
        super().__init__(PROJECTS, tools)
        self._addresses = addresses
        self._queue = queue
        self._tracking = tracking
        self._runs = runs

    def carry_out(self, project: Project, command: Command) -> Step[Project] | None:
        """Do it; return the change that follows, or None if the project is gone."""
        match command:
            case UndeployLost():
                return self._undeploy(
                    project,
                    [service for service in project.services if is_left_out(project, service)],
                )
            case Locate():
                is_over = project.stage.is_final or project.is_deleted
                return unchanged if is_over else self._locate(project)
            case _:
                return super().carry_out(project, command)

    def _placed(self, project: Project) -> Placed:
        landscape, placements = self._queue.place(project)
        return Placed(placements, left_out(project.sla, landscape))

    def _deployed(self, project: Project, service: Service) -> Deployed:
        if service.role is Role.TRACKING_SERVER:
            return self._tracking.ensure(project.customer_id)
        if service.role in AGGREGATORS:
            return self._deploy_aggregator(project, service)
        if service.role in PUBLISHED:
            port = self._addresses.port_for(service.instance)
            return self._orchestrator.deploy(
                describe(project, service, self._installation, port=port)
            )
        return self._orchestrator.deploy(describe(project, service, self._installation))

    def _deploy_aggregator(self, project: Project, service: Service) -> Deployed:
        """Deploy it at a free address, or at the address of the lost one that it replaces."""
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
                hint="Check whether the orchestrator has removed it.",
            ) from error

    def _locate(self, project: Project) -> Step[Project]:
        states = self._orchestrator.states(helper(project.customer_id))
        for service in project.present(Role.MODEL_SERVER):
            state = states.get(service.instance)
            url = self._addresses.public_url(service.instance, state, MODEL_PORT)
            if state is not None and url:
                located = ModelLocated(url)
                seen = with_state(service, state)
                return lambda current: PROJECTS.transition(
                    current.with_service(seen), located, self._now()
                )
        raise OrchestratorUnavailableError(
            "The orchestrator does not report the address of the served model yet.",
            hint="Check the instance of the model server.",
        )

    def _remove_service(self, project: Project, service: Service) -> None:
        super()._remove_service(project, service)
        if service.role in PUBLISHED:
            self._addresses.release_port(service.instance)

    def _remove(self, project: Project) -> None:
        super()._remove(project)
        self._orchestrator.remove_application(actors(project))
        url = self._tracking.found(project.customer_id) if project.takes_runs_along else ""
        if url:
            self._runs.forget(url, experiment_of(project), project.trained)
