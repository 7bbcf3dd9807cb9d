"""A runtime without processes: a script says what each image does. For tests."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from flops_local_oakestra.ports.runtime import CannotStartError, Usage, Workload


@dataclass(frozen=True)
class Script:
    """What an image does: it writes ``output`` and ends with ``code``, or, without one, stays."""

    output: bytes = b""
    code: int | None = None


class MemoryRuntime:
    """Starts nothing, and remembers what it was asked to start."""

    def __init__(self, images: Mapping[str, Script]) -> None:
        self._images = images
        self.started: list[Workload] = []

    def open(self) -> None:
        """Nothing is needed."""

    def close(self) -> None:
        """Nothing is left."""

    def has_image(self, reference: str) -> bool:
        """Say whether there is a script for it."""
        return reference in self._images

    def is_run_by_others(self, workload: Workload) -> bool:
        """Nobody else is in this world."""
        del workload
        return False

    def start(self, workload: Workload) -> "MemoryRunning":
        """Start the script."""
        if workload.image not in self._images:
            raise CannotStartError(f"image {workload.image} is not in the image store")
        self.started.append(workload)
        return MemoryRunning(self._images[workload.image])


class MemoryRunning:
    """A script that was started."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._code = script.code
        self._ended = threading.Event()
        if script.code is not None:
            self._ended.set()

    def wait(self) -> int:
        """Return the script's code, or that of a terminated process."""
        self._ended.wait()
        return 143 if self._code is None else self._code

    def stop(self, grace_seconds: float) -> None:
        """End at once."""
        del grace_seconds
        self._ended.set()

    def tail(self, size: int) -> bytes:
        """Return the end of the script's output."""
        return self._script.output[-size:]

    def usage(self) -> Usage | None:
        """Nothing is used."""
        return None
