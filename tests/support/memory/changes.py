"""State changes for an orchestrator that reports nothing itself; a test may do it instead."""

from collections.abc import Callable


class MemoryStateChanges:
    """Calls ``tell`` when ``happen`` is called. By default it is not offered: polling only."""

    def __init__(self, *, is_offered: bool = False) -> None:
        self._is_offered = is_offered
        self._tell: Callable[[], None] | None = None

    @property
    def is_heard(self) -> bool:
        """True while somebody listens to an orchestrator that offers it."""
        return self._tell is not None

    def hear(self, tell: Callable[[], None]) -> None:
        """Start listening, if it is offered."""
        self._tell = tell if self._is_offered else None

    def happen(self) -> None:
        """Report a change as the orchestrator."""
        if self._tell is not None:
            self._tell()

    def stop(self) -> None:
        """Stop listening."""
        self._tell = None
