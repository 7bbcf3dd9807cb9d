"""Where an instance goes: two steps, as at a root that asks a cluster.

The root looks for a cluster, the cluster for a node. A cluster that finds none answers nothing,
so the instance stays CLUSTER_SCHEDULED for ever; that is what current roots do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flops_local_oakestra.domain.statuses import Status
from flops_local_oakestra.domain.topology import VIRTUALIZATION, Cluster, Node


@dataclass(frozen=True)
class Demand:
    """What a service asks of the node it runs on."""

    vcpus: int = 0
    memory_mb: int = 0
    virtualization: str = "docker"
    cluster: str = ""
    node: str = ""
    clusters: tuple[str, ...] = ()
    addons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Free:
    """What is left of a node."""

    vcpus: int
    memory_mb: int


@dataclass(frozen=True)
class Placed:
    """A cluster was found, and in it a node, or none for ever."""

    cluster: Cluster
    node: Node | None


def demand_of(document: Mapping[str, Any], *, honours_all: bool) -> Demand:
    """Return what a service document asks for.

    Current roots honour only ``direct``, of which the last wins. With ``honours_all`` the types
    ``addons`` and ``clusters`` count too, as they did at older ones.
    """
    direct: Mapping[str, Any] = {}
    clusters: list[str] = []
    addons: list[str] = []
    for constraint in document.get("constraints") or ():
        if constraint["type"] == "direct":
            direct = constraint
        elif honours_all and constraint["type"] == "clusters":
            clusters += constraint.get("allowed", [])
        elif honours_all and constraint["type"] == "addons":
            addons += constraint.get("needs", [])
    return Demand(
        vcpus=document.get("vcpus") or 0,
        memory_mb=document.get("memory") or 0,
        virtualization=document["virtualization"],
        cluster=direct.get("cluster", ""),
        node=direct.get("node", ""),
        clusters=tuple(clusters),
        addons=tuple(addons),
    )


def place(
    demand: Demand, clusters: Sequence[Cluster], free: Callable[[Node], Free]
) -> Placed | Status:
    """Return where the instance goes, or the status that says why it goes nowhere."""

    def fits(node: Node) -> bool:
        left = free(node)
        return left.vcpus >= demand.vcpus and left.memory_mb >= demand.memory_mb

    active = [cluster for cluster in clusters if _is_target(demand, cluster)]
    if not active:
        return Status.TARGET_CLUSTER_NOT_ACTIVE
    qualified = [cluster for cluster in active if any(_qualified(demand, cluster))]
    if not qualified:
        return Status.NO_QUALIFIED_WORKER_FOUND
    if demand.virtualization not in VIRTUALIZATION:
        return Status.NO_ACTIVE_CLUSTER_WITH_CAPACITY
    for cluster in qualified:
        fitting = [node for node in _qualified(demand, cluster) if fits(node)]
        if fitting:
            wanted = (node for node in fitting if demand.node in {"", node.name})
            return Placed(cluster, next(wanted, None))
    return Status.NO_ACTIVE_CLUSTER_WITH_CAPACITY


def _is_target(demand: Demand, cluster: Cluster) -> bool:
    is_direct = demand.cluster in {"", cluster.name}
    return is_direct and (not demand.clusters or cluster.name in demand.clusters)


def _qualified(demand: Demand, cluster: Cluster) -> list[Node]:
    return [node for node in cluster.nodes if set(demand.addons) <= set(node.addons)]
