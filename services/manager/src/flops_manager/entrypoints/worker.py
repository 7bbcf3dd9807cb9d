"""The worker process: the lifecycle's loop, until SIGTERM."""

import signal
import threading
from importlib import import_module
from typing import Any

from flops_manager.bootstrap import build, prepare_store
from flops_manager.settings import Settings
from flops_manager.usecases.worker import Worker
from flops_runtime.status import Status, StatusServer


class WorkerStatus(Status):
    """How the worker is, looked up when somebody asks: one that hangs could not tell."""

    def __init__(self, worker: Worker) -> None:
        super().__init__("manager_worker")
        self._worker = worker

    @property
    def is_ready(self) -> bool:
        """Whether it works or stands by."""
        self._look()
        return super().is_ready

    def document(self) -> dict[str, Any]:
        """Return what /api/status answers."""
        self._look()
        return super().document()

    def _look(self) -> None:
        worker = self._worker
        is_well = worker.is_well
        standing = "working" if worker.is_active else "standing by for the active worker"
        self.doing(standing if is_well else "without database or broker")
        self.ready(is_ready=is_well)


def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    # pyarrow takes a second to import; now, nobody waits for it.
    threading.Thread(target=import_module, args=("flops_flight.client",), daemon=True).start()
    worker = build(settings).worker

    def stop(*_: Any) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with StatusServer(settings.process, WorkerStatus(worker)):
        prepare_store(settings)
        worker.run()
