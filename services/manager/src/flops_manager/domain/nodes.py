"""The nodes that services are placed on, their free resources, and the data they hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum, unique
from typing import Final

from flops_contracts.api.answers import TagStats
from flops_contracts.ports import DATA_SERVER_PORT

LEARNER_ADDON: Final = "FLOps-learner"
BUILDER_ADDON: Final = "image-builder"


@unique
class PlacementMode(StrEnum):
    """The chooser of nodes: the manager (``direct``), the root (``addons``), or either of them."""

    AUTO = "auto"
    DIRECT = "direct"
    ADDONS = "addons"


@dataclass(frozen=True)
class Node:
    """A worker node. An empty ``name`` is a cluster whose workers cannot be listed.

    ``vcpus`` and ``memory_mb`` are what is free, ``total_vcpus`` and ``total_memory_mb`` what it
    has; None means unknown. ``data_server`` is set only where several nodes share an address, and
    so cannot all have the usual port.
    """

    cluster: str
    name: str
    address: str = ""
    addons: frozenset[str] = frozenset()
    vcpus: float | None = None
    memory_mb: float | None = None
    data_server: str = ""
    total_vcpus: float | None = None
    total_memory_mb: float | None = None

    @property
    def data_address(self) -> str:
        """The address of its data server (host:port); empty if the node's address is unknown."""
        usual = f"{self.address}:{DATA_SERVER_PORT}" if self.address else ""
        return self.data_server or usual

    @property
    def label(self) -> str:
        """Its name for people."""
        return f"{self.cluster}/{self.name or '*'}"


@dataclass(frozen=True)
class Landscape:
    """Everything that placement considers. A node missing in ``data`` did not answer."""

    nodes: tuple[Node, ...] = ()
    data: Mapping[str, Mapping[str, TagStats]] = field(default_factory=dict)
    mode: PlacementMode = PlacementMode.AUTO

    def emptied(self) -> "Landscape":
        """Return the same nodes as if nothing ran on them."""
        nodes = tuple(
            replace(node, vcpus=node.total_vcpus, memory_mb=node.total_memory_mb)
            for node in self.nodes
        )
        return replace(self, nodes=nodes)

    def with_addon(self, addon: str) -> tuple[Node, ...]:
        """Return the nodes with ``addon``, in a stable order."""
        return tuple(sorted((node for node in self.nodes if addon in node.addons), key=_by_label))


def _by_label(node: Node) -> str:
    return node.label
