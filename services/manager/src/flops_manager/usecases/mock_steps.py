"""Carrying out what only a mock's lifecycle commands; see ``steps.py``."""

from flops_manager.domain.descriptions import describe_mock
from flops_manager.domain.mock_lifecycle import MOCKS
from flops_manager.domain.mocks import Mock
from flops_manager.domain.placement import place_mock
from flops_manager.domain.project_events import Placed
from flops_manager.domain.subjects import Service
from flops_manager.ports.orchestrator import Deployed
from flops_manager.usecases.steps import Steps, Tools
from flops_manager.usecases.survey import Survey


class MockSteps(Steps[Mock]):
    """Does what a command says and returns how that changes the mock."""

    def __init__(self, tools: Tools, survey: Survey) -> None:
        super().__init__(MOCKS, tools)
        self._survey = survey

    def _placed(self, mock: Mock) -> Placed:
        data = mock.sla.mock_data_configuration
        return Placed(place_mock(data.data_tag, data.nodes, self._survey.look()))

    def _deployed(self, mock: Mock, service: Service) -> Deployed:
        return self._orchestrator.deploy(describe_mock(mock, service, self._installation))
