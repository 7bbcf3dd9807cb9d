"""Keeping a workload running: start, watch, restart and stop it.

Each keeper has its own thread, which does all the waiting, and never holds the root's lock while
it waits.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flops_local_oakestra.domain.statuses import Status, exit_detail, status_after_exit
from flops_local_oakestra.ports.runtime import CannotStartError, Running, Runtime, Workload

_PREDECESSOR_SECONDS = 30.0


@dataclass(frozen=True)
class Habits:
    """How a workload is restarted and stopped."""

    restart_seconds: float
    grace_seconds: float
    one_shot: bool = False


class Keeper:
    """Keeps a workload running until ``stop``, or until a one-shot has completed."""

    def __init__(
        self,
        runtime: Runtime,
        workload: Workload,
        habits: Habits,
        report: Callable[[Status, str], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.workload = workload
        self._runtime = runtime
        self._habits = habits
        self._report = report
        self._ended = ended
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: Running | None = None
        self._predecessors: Sequence[Keeper] = ()
        self._thread = threading.Thread(target=self._keep, name=workload.name, daemon=True)

    @property
    def running(self) -> Running | None:
        """The current or last run of the workload."""
        with self._lock:
            return self._running

    @property
    def is_stopping(self) -> bool:
        """True after ``stop``."""
        return self._stopping.is_set()

    def start(self, predecessors: Sequence["Keeper"] = ()) -> None:
        """Start once the predecessors have ended, which still hold the same address."""
        self._predecessors = predecessors
        self._thread.start()

    def stop(self, grace_seconds: float | None = None) -> None:
        """Stop for good, without waiting for the end."""
        with self._lock:
            self._stopping.set()
            if self._running:
                grace = self._habits.grace_seconds if grace_seconds is None else grace_seconds
                self._running.stop(grace)

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end of the workload; return whether it has ended."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _keep(self) -> None:
        try:
            for predecessor in self._predecessors:
                predecessor.join(_PREDECESSOR_SECONDS)
            while not self.is_stopping:
                if self._run_once() is Status.COMPLETED:
                    return
                if self._stopping.wait(self._habits.restart_seconds):
                    return
                self._report(Status.NODE_SCHEDULED, "")
        finally:
            self._ended()

    def _run_once(self) -> Status:
        try:
            running = self._runtime.start(self.workload)
        except CannotStartError as error:
            self._report(Status.FAILED, str(error))
            return Status.FAILED
        with self._lock:
            self._running = running
            if self._stopping.is_set():
                running.stop(self._habits.grace_seconds)
        self._report(Status.RUNNING, "")
        code = running.wait()
        status = status_after_exit(code, one_shot=self._habits.one_shot)
        if not self.is_stopping:
            self._report(status, exit_detail(code))
        return status


def stop_all(keepers: Sequence[Keeper], grace_seconds: float, timeout_seconds: float) -> bool:
    """Stop all at the same time; return whether all ended within the timeout."""
    end = time.monotonic() + timeout_seconds
    for keeper in keepers:
        keeper.stop(grace_seconds)
    return all(keeper.join(max(0.0, end - time.monotonic())) for keeper in keepers)
