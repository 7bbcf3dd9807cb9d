"""How a service becomes something that runs. ``process`` is one way, containers are another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class CannotStartError(Exception):
    """The workload could not be started; the message is what an instance's status detail says."""


@dataclass(frozen=True)
class Workload:
    """What to run: an image, told everything by its environment.

    ``name`` is unique among what runs at the same time. A ``command`` replaces the image's own.
    """

    name: str
    image: str
    address: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: tuple[str, ...] = ()


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
    """Starts workloads."""

    def has_image(self, reference: str) -> bool:
        """Say whether a workload with this image can be started."""

    def start(self, workload: Workload) -> Running:
        """Return the started workload; raise ``CannotStartError``."""
