"""The load of the aggregator's machine, under the names that MLflow's pages show.

MLflow's own monitor has a thread that gives up when its server is unreachable once.
"""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Final

import psutil

EVERY_SECONDS: Final = 10.0
FIRST_AFTER_SECONDS: Final = 1.0
"""psutil returns the processor load since its last call."""

MEGABYTE: Final = 1e6


class SystemMetrics:
    """Passes samples to ``record`` soon after the start, every ten seconds, and at the end."""

    def __init__(
        self,
        record: Callable[[Mapping[str, float]], None],
        first_after_seconds: float = FIRST_AFTER_SECONDS,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._record = record
        self._pauses = (first_after_seconds, every_seconds)
        self._carried = psutil.net_io_counters()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="system-metrics", daemon=True)

    def start(self) -> None:
        """Start sampling."""
        psutil.cpu_percent()
        self._thread.start()

    def stop(self) -> None:
        """Take a last sample, so that a short training has one; does so once, and if started."""
        if self._thread.ident and not self._ended.is_set():
            self._ended.set()
            self._sample()

    def _work(self) -> None:
        pause, following = self._pauses
        while not self._ended.wait(pause):
            self._sample()
            pause = following

    def _sample(self) -> None:
        self._record(sample(self._carried.bytes_recv, self._carried.bytes_sent))


def sample(received: int, sent: int) -> dict[str, float]:
    """Return the use of processor (%), memory, disk and network (MB).

    ``received`` and ``sent`` are the bytes before the start, which are subtracted.
    """
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(os.sep)
    carried = psutil.net_io_counters()
    metrics = {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": memory.used / MEGABYTE,
        "system_memory_usage_percentage": memory.used / memory.total * 100,
        "disk_usage_percentage": disk.percent,
        "disk_usage_megabytes": disk.used / MEGABYTE,
        "disk_available_megabytes": disk.free / MEGABYTE,
        "network_receive_megabytes": (carried.bytes_recv - received) / MEGABYTE,
        "network_transmit_megabytes": (carried.bytes_sent - sent) / MEGABYTE,
        # MLflow has no metric for the memory of the training itself.
        "process_memory_megabytes": psutil.Process().memory_info().rss / MEGABYTE,
    }
    return {f"system/{name}": round(value, 1) for name, value in metrics.items()}
