"""The worker process: the lifecycle's loop, until SIGTERM."""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from prometheus_client import REGISTRY
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from flops_manager.bootstrap import build, prepare_store
from flops_manager.domain.errors import StoreUnavailableError
from flops_manager.metrics import WORKER
from flops_manager.settings import Settings
from flops_manager.usecases.worker import Worker
from flops_runtime import tracing
from flops_runtime.status import Status, StatusServer

logger = logging.getLogger(__name__)

STORE_PATIENCE_SECONDS: Final = 300.0
"""How long to wait for a database that starts at the same time; then the worker exits."""


class WorkerStatus(Status):
    """The state of the worker, looked up at each request: a hanging worker could not report it."""

    def __init__(self, worker: Worker) -> None:
        super().__init__("manager_worker")
        self._worker = worker

    @property
    def is_ready(self) -> bool:
        """Return whether it works or stands by."""
        self._look()
        return super().is_ready

    def document(self) -> dict[str, Any]:
        """Return the answer of /api/status."""
        self._look()
        return super().document()

    def _look(self) -> None:
        worker = self._worker
        is_well = worker.is_well
        standing = "working" if worker.is_active else "standing by for the active worker"
        self.doing(standing if is_well else "without database or broker")
        self.ready(is_ready=is_well)


def persistently(prepare: Callable[[], None], patience_seconds: float) -> None:
    """Call ``prepare`` until the database answers, with a warning each time; then raise."""
    Retrying(
        retry=retry_if_exception_type(StoreUnavailableError),
        stop=stop_after_delay(patience_seconds),
        wait=wait_random_exponential(multiplier=0.5, max=5.0),
        before_sleep=_warn,
        reraise=True,
    )(prepare)


def _warn(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("waiting for the database since %.0f s: %s", state.seconds_since_start, error)


def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    # pyarrow takes a second to import; nobody waits for it yet.
    threading.Thread(target=import_module, args=("flops_flight.client",), daemon=True).start()
    worker = build(settings).worker

    def stop(*_: Any) -> None:
        worker.stop()

    # While it waits for the database there is nothing to tidy up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    tracing.start(settings.traces, "manager-worker")
    registries = (REGISTRY, WORKER)
    with StatusServer(settings.process, WorkerStatus(worker), registries=registries):
        persistently(lambda: prepare_store(settings), STORE_PATIENCE_SECONDS)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        worker.run()
    tracing.stop()
