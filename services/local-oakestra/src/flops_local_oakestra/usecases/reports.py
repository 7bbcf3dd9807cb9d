"""The nodes' reports about running instances: resource usage and the last output."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from flops_local_oakestra.domain.documents import Report
from flops_local_oakestra.usecases.keepers import Keeper

LOG_BYTES: Final = 1024
_HISTORY: Final = 100

InstanceKey = tuple[str, int]


@dataclass
class _Tracked:
    keeper: Keeper
    cpu: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    memory: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    logs: bytes = b""


class Reports:
    """Reports about all instances that are listed at the root.

    Sparse ones have the logs of the last regular report, complete ones those of this moment.
    """

    def __init__(self, now: Callable[[], datetime], *, is_sparse: bool = False) -> None:
        self._now = now
        self._is_sparse = is_sparse
        self._lock = threading.Lock()
        self._tracked: dict[InstanceKey, _Tracked] = {}

    def track(self, key: InstanceKey, keeper: Keeper) -> None:
        """Start reporting about an instance."""
        with self._lock:
            self._tracked[key] = _Tracked(keeper)

    def forget(self, key: InstanceKey) -> None:
        """Stop reporting about an instance."""
        with self._lock:
            self._tracked.pop(key, None)

    def measure(self) -> None:
        """Take a sample of every running instance; called regularly by a single thread."""
        with self._lock:
            tracked = list(self._tracked.values())
        for entry in tracked:
            running = entry.keeper.running
            usage = running.usage() if running else None
            if running and usage:
                at, logs = self._now().isoformat(), running.tail(LOG_BYTES)
                with self._lock:
                    entry.logs = logs
                    entry.cpu.append({"value": f"{usage.cpu_percent:.2f}", "timestamp": at})
                    entry.memory.append({"value": f"{usage.memory_percent:.2f}", "timestamp": at})

    def about(self, service_id: str, numbers: Iterable[int]) -> dict[int, Report]:
        """Return the reports of a service's instances, with their current logs."""
        with self._lock:
            tracked = {number: self._tracked.get((service_id, number)) for number in numbers}
        return {number: self._report(entry) for number, entry in tracked.items() if entry}

    def _report(self, entry: _Tracked) -> Report:
        running = entry.keeper.running
        now = b"" if self._is_sparse or not running else running.tail(LOG_BYTES)
        with self._lock:
            logs = (entry.logs if self._is_sparse else now).decode(errors="replace")
            return Report(
                cpu_percent=entry.cpu[-1]["value"] if entry.cpu else "0",
                memory_percent=entry.memory[-1]["value"] if entry.memory else "0",
                logs=logs,
                cpu_history=tuple(entry.cpu),
                memory_history=tuple(entry.memory),
            )
