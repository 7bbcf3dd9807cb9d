"""Carrying out what a mock's lifecycle commands; see ``project_steps.py``."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flops_manager.domain.commands import (
    Announce,
    Command,
    CreateApplications,
    Deploy,
    Place,
    Remove,
    Undeploy,
)
from flops_manager.domain.deployments import Installation, helper
from flops_manager.domain.descriptions import describe_mock
from flops_manager.domain.mock_lifecycle import MockEvent, mock_transition
from flops_manager.domain.mocks import Mock
from flops_manager.domain.placement import place_mock
from flops_manager.domain.project_events import Placed, StepFailed
from flops_manager.domain.projects import REMOVED, ProjectError, Service
from flops_manager.ports.orchestrator import Deployed, Orchestrator
from flops_manager.usecases.announcements import Announcements
from flops_manager.usecases.changes import Step, unchanged
from flops_manager.usecases.origins import about, located
from flops_manager.usecases.survey import Survey


class MockSteps:
    """Does what a command says and returns how that changes the mock."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        survey: Survey,
        announcements: Announcements,
        installation: Installation,
        now: Callable[[], datetime],
    ) -> None:
        self._orchestrator = orchestrator
        self._survey = survey
        self._announcements = announcements
        self._installation = installation
        self._now = now

    def carry_out(self, mock: Mock, command: Command) -> Step[Mock] | None:
        """Do it; return the change that follows, or None if the mock is no more."""
        match command:
            case Announce():
                self._announcements.announce(mock.id, command, is_mock=True)
                return unchanged
            case CreateApplications():
                self._orchestrator.create_application(helper(mock.customer_id))
                return unchanged
            case Place():
                wanted = mock.sla.mock_data_configuration
                places = place_mock(wanted.data_tag, wanted.nodes, self._survey.look())
                return self._record(Placed(places))
            case Deploy():
                return self._deploy(mock)
            case Undeploy():
                return self._undeploy(mock)
            case Remove():
                self._undeploy(mock)
                return None
            case _:
                raise ValueError(f"a mock takes no {command}")

    def wait(self, mock: Mock, why: str) -> Mock:
        """Return the mock: it shows no waiting."""
        del why
        return mock

    def give_up(self, mock: Mock, error: ProjectError) -> Step[Mock]:
        """Return what it means that a command cannot be carried out."""
        return self._record(StepFailed(mock.stage, located(error, mock.services)))

    def _record(self, event: MockEvent) -> Step[Mock]:
        return lambda mock: mock_transition(mock, event, self._now())

    def _deploy(self, mock: Mock) -> Step[Mock]:
        if mock.stage.is_final or mock.is_deleted:
            return unchanged
        jobs = {one.instance: self._deploy_one(mock, one).job_id for one in mock.services}

        def step(current: Mock) -> tuple[Mock, tuple[Command, ...]]:
            for one in current.services:
                if one.instance in jobs and not one.is_removed:
                    current = current.with_service(
                        replace(
                            one,
                            job_id=jobs[one.instance],
                            status="REQUESTED",
                            deployed_at=self._now(),
                        )
                    )
            return current, ()

        return step

    def _deploy_one(self, mock: Mock, service: Service) -> Deployed:
        with about(service):
            return self._orchestrator.deploy(describe_mock(mock, service, self._installation))

    def _undeploy(self, mock: Mock) -> Step[Mock]:
        for one in mock.services:
            if not one.is_removed:
                self._orchestrator.undeploy(helper(mock.customer_id), one.instance, one.job_id)

        def step(current: Mock) -> tuple[Mock, tuple[Command, ...]]:
            gone = tuple(replace(one, status=REMOVED) for one in current.services)
            return replace(current, services=gone), ()

        return step
