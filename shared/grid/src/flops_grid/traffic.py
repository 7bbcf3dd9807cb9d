"""How many bytes an aggregator's lines have carried."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True)
class Moved:
    """Bytes of frames: ``down`` to the clients, ``up`` from them."""

    down: int = 0
    up: int = 0

    def __sub__(self, before: "Moved") -> "Moved":
        return Moved(self.down - before.down, self.up - before.up)


class Traffic:
    """The sum over all lines, whose threads count here."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._down = self._up = 0

    def moved(self) -> Moved:
        """Return what was moved so far."""
        with self._lock:
            return Moved(self._down, self._up)

    def counted_down(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        """Give the frames that are sent, and count them."""
        for data in frames:
            with self._lock:
                self._down += len(data)
            yield data

    def counted_up(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        """Give the frames that arrive, and count them."""
        for data in frames:
            with self._lock:
                self._up += len(data)
            yield data
