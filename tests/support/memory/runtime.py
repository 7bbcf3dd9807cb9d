"""A runtime without processes, in which a script describes each image."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from flops_local_oakestra.ports.runtime import CannotStartError, Usage, Workload


@dataclass(frozen=True)
class Script:
    """An image that writes ``output`` and ends with ``code``, or without a code never ends."""

    output: bytes = b""
    code: int | None = None


class MemoryRuntime:
    """Starts nothing, and records its workloads."""

    def __init__(self, images: Mapping[str, Script]) -> None:
        self._images = images
        self.started: list[Workload] = []

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def has_image(self, reference: str) -> bool:
        """Return whether there is a script for it."""
        return reference in self._images

    def is_run_by_others(self, workload: Workload) -> bool:
        """Return False."""
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
        """Return None."""
        return None
