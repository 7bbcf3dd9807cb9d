"""The worker process: the lifecycle's loop, until SIGTERM."""

import signal
import threading
from importlib import import_module
from typing import Any

from flops_manager.bootstrap import build, prepare_store
from flops_manager.settings import Settings


def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    # pyarrow takes a second to import; now, nobody waits for it.
    threading.Thread(target=import_module, args=("flops_flight.client",), daemon=True).start()
    worker = build(settings).worker

    def stop(*_: Any) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    prepare_store(settings)
    worker.run()
