"""Running services, as processes of this machine or as containers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from flops_local_oakestra.domain.published import PublishedPort


class CannotStartError(Exception):
    """The workload could not be started; the message becomes the instance's status detail."""


class NotReadyError(Exception):
    """The runtime cannot start anything here; the message is for the user."""


@dataclass(frozen=True)
class Workload:
    """An image to run, with its environment.

    ``name`` is unique among running workloads. A ``command`` replaces the image's own. Without an
    ``address`` it is reachable only at its published ``ports``. Zeros mean no limit. ``volumes``
    maps names to mount points. Processes have no volumes, published ports or limits.
    """

    name: str
    image: str
    address: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: tuple[str, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 0
    vcpus: int = 0
    has_fuse: bool = False
    container_name: str = ""


@dataclass(frozen=True)
class Usage:
    """Resource usage of a workload in percent; a busy core counts 100."""

    cpu_percent: float
    memory_percent: float


class Running(Protocol):
    """A workload that was started."""

    def wait(self) -> int:
        """Wait for the end of the workload and of all its children; return its exit code."""

    def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM, and SIGKILL after the grace, in the background; may be called again."""

    def tail(self, size: int) -> bytes:
        """Return the last bytes of its output, also after its end."""

    def usage(self) -> Usage | None:
        """Return its current usage, or None if that is unknown."""


class Runtime(Protocol):
    """Starts workloads, between ``open`` and ``close``."""

    def open(self) -> None:
        """Prepare, and remove leftovers of an earlier run; raise ``NotReadyError``."""

    def close(self) -> None:
        """Remove what is left; failures are ignored, because the next ``open`` tries again."""

    def has_image(self, reference: str) -> bool:
        """Return whether a workload with this image can be started."""

    def is_run_by_others(self, workload: Workload) -> bool:
        """Return whether somebody else already runs this workload."""

    def start(self, workload: Workload) -> Running:
        """Return the started workload; raise ``CannotStartError``."""
