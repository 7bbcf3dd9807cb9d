"""The check that the orchestrator can be used, for probes that may ask at any rate."""

import threading
import time
from collections.abc import Callable
from typing import Final

from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError
from flops_manager.ports.root_access import RootAccess

KEPT_SECONDS: Final = 5.0
"""How long an answer is kept, so that probes do not become a load for the orchestrator."""


class RootCheck:
    """Asks the orchestrator at most once in five seconds. Threads may share it."""

    def __init__(self, root: RootAccess, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._problem: tuple[str, str] | None = None
        self._asked_at: float | None = None

    def require(self) -> None:
        """Raise ``OrchestratorUnavailableError`` if the orchestrator cannot be used now."""
        with self._lock:
            if self._asked_at is None or self._monotonic() - self._asked_at >= KEPT_SECONDS:
                self._problem = self._ask()
                self._asked_at = self._monotonic()
            problem = self._problem
        if problem:
            reason, hint = problem
            raise OrchestratorUnavailableError(reason, hint=hint)

    def _ask(self) -> tuple[str, str] | None:
        """Return the reason and the hint of the error, or None."""
        try:
            self._root.check()
        except (OrchestratorUnavailableError, OrchestratorRefusedError) as error:
            return error.reason, error.hint
        return None
