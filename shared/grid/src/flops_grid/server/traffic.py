"""Counts the bytes on an aggregator's connections."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True)
class Moved:
    """Bytes of frames: ``down`` to the clients, ``up`` from them."""

    down: int = 0
    up: int = 0

    def __add__(self, more: "Moved") -> "Moved":
        return Moved(self.down + more.down, self.up + more.up)

    def __sub__(self, before: "Moved") -> "Moved":
        return Moved(self.down - before.down, self.up - before.up)


class Traffic:
    """The sum over all connections, from any thread; ``on_frame`` is called for each frame."""

    def __init__(self, on_frame: Callable[[Moved], None] = lambda _: None) -> None:
        self._on_frame = on_frame
        self._lock = Lock()
        self._moved = Moved()

    def moved(self) -> Moved:
        """Return what was moved so far."""
        with self._lock:
            return self._moved

    def counted_down(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        """Give the frames that are sent, and count them."""
        for data in frames:
            self._count(Moved(down=len(data)))
            yield data

    def counted_up(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        """Give the frames that arrive, and count them."""
        for data in frames:
            self._count(Moved(up=len(data)))
            yield data

    def _count(self, moved: Moved) -> None:
        with self._lock:
            self._moved += moved
        self._on_frame(moved)
