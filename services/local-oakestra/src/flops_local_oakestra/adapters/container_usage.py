"""Resource usage of containers, read for all at once because a call takes two seconds."""

import re
import threading
from collections.abc import Callable
from typing import Final

from flops_local_oakestra.adapters.engine import Engine, EngineError
from flops_local_oakestra.ports.runtime import Usage

MAX_AGE_SECONDS: Final = 15.0
STATS_SECONDS: Final = 10.0
_UNITS: Final = {
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
}
_SIZE: Final = re.compile(r"([\d.]+)\s*([a-zA-Z]+)")
_FORMAT: Final = "{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}"


class Meter:
    """Keeps the last sample of every container until it is too old."""

    def __init__(self, engine: Engine, memory_bytes: int, monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self._memory_bytes = memory_bytes
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._samples: dict[str, Usage] = {}
        self._taken_at = float("-inf")

    def usage(self, name: str) -> Usage | None:
        """Return the usage of a container, or None if it is unknown."""
        with self._lock:
            if self._monotonic() - self._taken_at > MAX_AGE_SECONDS:
                self._samples = self._measured()
                self._taken_at = self._monotonic()
            return self._samples.get(name)

    def _measured(self) -> dict[str, Usage]:
        try:
            text = self._engine.call(
                *("stats", "--no-stream", "--format", _FORMAT), timeout_seconds=STATS_SECONDS
            )
        except EngineError:
            return {}
        return read_samples(text, self._memory_bytes)


def read_samples(text: str, memory_bytes: int) -> dict[str, Usage]:
    """Return the samples in the output of ``stats``; skip lines without figures."""
    samples: dict[str, Usage] = {}
    for line in text.splitlines():
        name, _, figures = line.partition("|")
        cpu, _, memory = figures.partition("|")
        size = _SIZE.match(memory.strip())
        unit = _UNITS.get(size[2].lower()) if size else None
        if size and unit and re.fullmatch(r"[\d.]+%", cpu):
            used = float(size[1]) * unit
            samples[name] = Usage(float(cpu.rstrip("%")), 100 * used / memory_bytes)
    return samples
