"""How a service becomes something that runs: as a process of this machine, or as a container."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from flops_local_oakestra.domain.published import PublishedPort


class CannotStartError(Exception):
    """The workload could not be started; the message is what an instance's status detail says."""


class NotReadyError(Exception):
    """The runtime can start nothing here; the message is for whoever started local-oakestra."""


@dataclass(frozen=True)
class Workload:
    """What to run: an image, told everything by its environment.

    ``name`` is unique among what runs at the same time. A ``command`` replaces the image's own.
    Without an ``address`` it gets one outside the world, where only its published ``ports`` lead
    to it. Zeros mean no limit. ``volumes`` are by name, with where they are mounted; processes
    have neither volumes, nor ports of the machine other than their own, nor limits.
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
    """What a workload uses of the machine, in percent; a core that is busy counts 100."""

    cpu_percent: float
    memory_percent: float


class Running(Protocol):
    """A workload that was started."""

    def wait(self) -> int:
        """Return its exit code as soon as it and everything it started have ended."""

    def stop(self, grace_seconds: float) -> None:
        """Ask it to end, and make it end after the grace. Returns at once; may be called again."""

    def tail(self, size: int) -> bytes:
        """Return the last bytes that it wrote, also after its end."""

    def usage(self) -> Usage | None:
        """Return what it uses now, or None if that cannot be told."""


class Runtime(Protocol):
    """Starts workloads, between ``open`` and ``close``."""

    def open(self) -> None:
        """Make ready, and remove what an earlier world left; raise ``NotReadyError``."""

    def close(self) -> None:
        """Remove whatever is left. Fails silently: the next ``open`` does it again."""

    def has_image(self, reference: str) -> bool:
        """Say whether a workload with this image can be started."""

    def is_run_by_others(self, workload: Workload) -> bool:
        """Say whether somebody else already runs what this workload is to be."""

    def start(self, workload: Workload) -> Running:
        """Return the started workload; raise ``CannotStartError``."""
