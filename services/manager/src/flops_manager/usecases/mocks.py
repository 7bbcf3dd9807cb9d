"""Mock data providers: asking for data, and watching them being provided."""

from flops_contracts.roles import MockStage
from flops_contracts.sla import MockSla
from flops_manager.domain.mocks import Mock
from flops_manager.usecases.answers import Page
from flops_manager.usecases.caller import Caller


class Mocks:
    """Everything that can be done with mocks."""

    def submit(self, sla: MockSla, caller: Caller, idempotency_key: str = "") -> Mock:
        """Store a new mock and let the worker start it; the same key returns the first mock.

        Raises ``NotAllowedError`` if the SLA names another customer and the caller is no Admin.
        """
        raise NotImplementedError

    def get(self, mock_id: str, caller: Caller) -> Mock:
        """Return a mock; raise ``MockNotFoundError``, also for those of others."""
        raise NotImplementedError

    def list(
        self, caller: Caller, stage: MockStage | None = None, page: int = 1, page_size: int = 50
    ) -> Page[Mock]:
        """Return a page of the caller's mocks (an Admin's: all), newest first."""
        raise NotImplementedError

    def delete(self, mock_id: str, caller: Caller) -> None:
        """Stop and forget a mock; the data that it stored stay. Raises ``MockNotFoundError``."""
        raise NotImplementedError
