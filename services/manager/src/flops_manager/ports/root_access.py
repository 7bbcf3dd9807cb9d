"""The manager's own access to the orchestrator, as probes check it."""

from typing import Protocol


class RootAccess(Protocol):
    """The orchestrator, reached with the manager's account."""

    def check(self) -> None:
        """Return within seconds if it answers and accepts the login.

        Raises ``OrchestratorUnavailableError`` or ``OrchestratorRefusedError``.
        """
