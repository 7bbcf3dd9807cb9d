"""Placement of an instance in two steps: the root chooses a cluster, the cluster a node.

A cluster without a suitable node does not answer, so the instance stays CLUSTER_SCHEDULED
forever, as at current roots.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flops_local_oakestra.domain.statuses import Status
from flops_local_oakestra.domain.topology import VIRTUALIZATION, Cluster, Node


@dataclass(frozen=True)
class Demand:
    """A service's requirements on its node."""

    vcpus: int = 0
    memory_mb: int = 0
    virtualization: str = "docker"
    cluster: str = ""
    node: str = ""
    clusters: tuple[str, ...] = ()
    addons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Free:
    """The free resources of a node."""

    vcpus: int
    memory_mb: int


@dataclass(frozen=True)
class Placed:
    """The chosen cluster and its node; without a node, the instance is never started."""

    cluster: Cluster
    node: Node | None


def demand_of(document: Mapping[str, Any], *, honours_all: bool) -> Demand:
    """Return the requirements in a service document.

    Current roots honour only the last ``direct`` constraint. With ``honours_all``, ``addons`` and
    ``clusters`` count too, as at older roots.
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
    """Return the place of an instance, or the status with the reason why there is none."""

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
            allowed = (node for node in fitting if demand.node in {"", node.name})
            return Placed(cluster, next(allowed, None))
    return Status.NO_ACTIVE_CLUSTER_WITH_CAPACITY


def _is_target(demand: Demand, cluster: Cluster) -> bool:
    is_direct = demand.cluster in {"", cluster.name}
    return is_direct and (not demand.clusters or cluster.name in demand.clusters)


def _qualified(demand: Demand, cluster: Cluster) -> list[Node]:
    return [node for node in cluster.nodes if set(demand.addons) <= set(node.addons)]
