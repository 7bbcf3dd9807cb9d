"""The clusters and nodes that this machine simulates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from flops_local_oakestra.domain.addresses import WorldNetwork

LEARNER_ADDON: Final = "FLOps-learner"
BUILDER_ADDON: Final = "image-builder"
ADDONS: Final = (LEARNER_ADDON, BUILDER_ADDON)
VIRTUALIZATION: Final = ("docker",)
_NODES_PER_WORLD: Final = 250


class BadTopologyError(ValueError):
    """The topology is invalid; the message names the place."""


@dataclass(frozen=True)
class Node:
    """A worker: a share of this machine.

    ``data_server`` is the address and port of its data server; empty without the addon.
    """

    name: str
    cluster: str
    id: str
    address: str
    vcpus: int
    memory_mb: int
    addons: tuple[str, ...]
    data_server: str = ""


@dataclass(frozen=True)
class Cluster:
    """A group of nodes; its resource API listens on ``address``."""

    name: str
    id: str
    address: str
    nodes: tuple[Node, ...]


def default_topology(vcpus: int, memory_mb: int) -> list[dict[str, Any]]:
    """Return a cluster with a single node, which is the whole machine with both addons."""
    node = {"name": "node-1", "vcpus": vcpus, "memory_mb": memory_mb, "addons": list(ADDONS)}
    return [{"cluster": "local", "nodes": [node]}]


def read_topology(document: Any, network: WorldNetwork) -> tuple[Cluster, ...]:
    """Return the clusters of a topology from the settings; raise ``BadTopologyError``."""
    clusters: list[Cluster] = []
    number = learners = 0
    for index, entry in enumerate(_items(document, "the topology")):
        where = f"cluster {index + 1}"
        name = _text(entry, "cluster", where)
        nodes = []
        for node in _items(entry.get("nodes"), f"`nodes` of {where}"):
            number += 1
            read = _node(node, name, network.node(number), f"node {number}")
            if LEARNER_ADDON in read.addons:
                learners += 1
                read = replace(read, data_server=network.data_server(number, learners))
            nodes.append(read)
        address = network.cluster(index + 1)
        clusters.append(Cluster(name, _id(name), address, tuple(nodes)))
    _check_names([cluster.name for cluster in clusters], "clusters")
    _check_names([node.id for cluster in clusters for node in cluster.nodes], "nodes of a cluster")
    if number > _NODES_PER_WORLD or len(clusters) > _NODES_PER_WORLD // 2:
        raise BadTopologyError(
            f"there may be at most {_NODES_PER_WORLD} nodes and {_NODES_PER_WORLD // 2} clusters"
        )
    return tuple(clusters)


def _node(entry: Any, cluster: str, address: str, where: str) -> Node:
    if not isinstance(entry, Mapping):
        raise BadTopologyError(f"{where} is not an object")
    name = _text(entry, "name", where)
    addons = entry.get("addons", list(ADDONS))
    if not isinstance(addons, list) or not all(isinstance(addon, str) for addon in addons):
        raise BadTopologyError(f"`addons` of {where} must be a list of names")
    return Node(
        name=name,
        cluster=cluster,
        id=_id(f"{cluster}/{name}"),
        address=address,
        vcpus=_whole(entry, "vcpus", where),
        memory_mb=_whole(entry, "memory_mb", where),
        addons=tuple(addons),
    )


def _id(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:24]


def _items(value: Any, where: str) -> Sequence[Any]:
    if not isinstance(value, list) or not value:
        raise BadTopologyError(f"{where} must be a list with at least one entry")
    return value


def _text(entry: Any, key: str, where: str) -> str:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if not isinstance(value, str) or not value or "/" in value or value.startswith("."):
        raise BadTopologyError(f"`{key}` of {where} must be a name without slashes")
    return value


def _whole(entry: Mapping[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadTopologyError(f"`{key}` of {where} must be a whole number")
    return value


def _check_names(names: Sequence[str], what: str) -> None:
    if len(set(names)) != len(names):
        raise BadTopologyError(f"two {what} have the same name")
