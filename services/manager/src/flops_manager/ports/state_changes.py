"""Hearing from the orchestrator that something changed, where it offers that."""

from collections.abc import Callable
from typing import Protocol


class StateChanges(Protocol):
    """Tells that it is worth to look. What it was is not told: only the orchestrator knows that."""

    @property
    def is_heard(self) -> bool:
        """Whether changes are told; while they are not, one has to look more often."""

    def hear(self, tell: Callable[[], None]) -> None:
        """Make sure that ``tell`` is called after changes; call it now and then to renew that.

        Raises ``OrchestratorUnavailableError`` or ``OrchestratorRefusedError`` where that fails;
        nothing is lost then but time.
        """

    def stop(self) -> None:
        """Hear no more, and leave nothing behind at the orchestrator; safe to call twice."""
