"""Notifications of the orchestrator that something changed, where it offers them."""

from collections.abc import Callable
from typing import Protocol


class StateChanges(Protocol):
    """Notifies that something changed, but not what: the manager then looks at the orchestrator."""

    @property
    def is_heard(self) -> bool:
        """Return whether notifications arrive; while they do not, the manager looks more often."""

    def hear(self, tell: Callable[[], None]) -> None:
        """Make sure that ``tell`` is called after changes; call it now and then to renew that.

        Raises ``OrchestratorUnavailableError`` or ``OrchestratorRefusedError`` where that fails;
        nothing is lost then but time.
        """

    def stop(self) -> None:
        """Unsubscribe, and leave nothing behind at the orchestrator; safe to call twice."""
