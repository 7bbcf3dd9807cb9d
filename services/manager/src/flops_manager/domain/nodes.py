"""What is there to place services on: nodes, what is free on them, and the data they hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

LEARNER_ADDON: Final = "FLOps-learner"
BUILDER_ADDON: Final = "image-builder"
DATA_SERVER_PORT: Final = 11027


@unique
class PlacementMode(StrEnum):
    """Who chooses nodes: the manager (``direct``), the root (``addons``), or whoever can."""

    AUTO = "auto"
    DIRECT = "direct"
    ADDONS = "addons"


@dataclass(frozen=True)
class TagStats:
    """What a data server holds under one tag: ``columns`` are Arrow types by name.

    Without ``is_uniform``, the fragments do not agree on them.
    """

    rows: int
    fragments: int = 0
    bytes: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    is_uniform: bool = True


@dataclass(frozen=True)
class Node:
    """A worker node. An empty ``name`` is a cluster whose workers nobody can list.

    ``vcpus`` and ``memory_mb`` are what is free; None means unknown. ``data_server`` is told only
    where several nodes share an address, and so cannot all have the usual port.
    """

    cluster: str
    name: str
    address: str = ""
    addons: frozenset[str] = frozenset()
    vcpus: float | None = None
    memory_mb: float | None = None
    data_server: str = ""

    @property
    def data_address(self) -> str:
        """Where its data server is: host:port; empty if nobody knows its address."""
        usual = f"{self.address}:{DATA_SERVER_PORT}" if self.address else ""
        return self.data_server or usual

    @property
    def label(self) -> str:
        """How people read it."""
        return f"{self.cluster}/{self.name or '*'}"


@dataclass(frozen=True)
class Landscape:
    """Everything that placement looks at. A node that is not in ``data`` did not answer."""

    nodes: tuple[Node, ...] = ()
    data: Mapping[str, Mapping[str, TagStats]] = field(default_factory=dict)
    mode: PlacementMode = PlacementMode.AUTO

    def with_addon(self, addon: str) -> tuple[Node, ...]:
        """Return the nodes with ``addon``, in a stable order."""
        return tuple(sorted((one for one in self.nodes if addon in one.addons), key=_by_label))


def _by_label(node: Node) -> str:
    return node.label
