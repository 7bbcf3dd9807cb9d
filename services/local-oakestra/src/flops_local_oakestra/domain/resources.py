"""The documents of clusters and nodes."""

from collections.abc import Callable
from typing import Any

from flops_local_oakestra.domain.placement import Free
from flops_local_oakestra.domain.topology import VIRTUALIZATION, Cluster, Node

Load = tuple[float, float]
"""How busy this machine is: percent of its cores, percent of its memory."""


def node_document(node: Node, free: Free, load: Load, now: float) -> dict[str, Any]:
    """Return a worker as a cluster's resource API shows it.

    As at a real cluster, ``vcpus`` is the node's total and ``memory`` what is free. This root adds
    four unambiguous figures and the address of the data server.
    """
    return {
        "_id": node.id,
        "candidate_name": node.name,
        "candidate_location": node.cluster,
        "ip": node.address,
        "port": "3000",
        "active": True,
        "vcpus": node.vcpus,
        "vgpus": 0,
        "memory": free.memory_mb,
        "cpu_percent": load[0],
        "memory_percent": load[1],
        "virtualization": list(VIRTUALIZATION),
        "supported_addons": list(node.addons),
        "csi_drivers": [],
        "last_modified_timestamp": now,
        "flops_data_server": node.data_server,
        **_figures(node.vcpus, node.memory_mb, free),
    }


def cluster_document(
    cluster: Cluster, free: Callable[[Node], Free], load: Load, now: float
) -> dict[str, Any]:
    """Return a cluster as the root shows it: sums over its nodes, lists with duplicates."""
    nodes = cluster.nodes
    vcpus, memory = sum(n.vcpus for n in nodes), sum(n.memory_mb for n in nodes)
    left = [free(node) for node in nodes]
    total = Free(sum(item.vcpus for item in left), sum(item.memory_mb for item in left))
    return {
        "_id": cluster.id,
        "cluster_name": cluster.name,
        "candidate_name": cluster.name,
        "cluster_location": cluster.name,
        "candidate_location": cluster.name,
        "ip": cluster.address,
        "port": "10100",
        "active": True,
        "active_nodes": len(nodes),
        "vcpus": vcpus,
        "total_cpu_cores": vcpus,
        "vgpus": 0,
        "total_gpu_cores": 0,
        "memory": total.memory_mb,
        "memory_in_mb": total.memory_mb,
        "cpu_percent": load[0],
        "aggregated_cpu_percent": load[0],
        "memory_percent": load[1],
        "virtualization": [kind for _ in nodes for kind in VIRTUALIZATION],
        "supported_addons": [addon for node in nodes for addon in node.addons],
        "csi_drivers": [],
        "last_modified_timestamp": now,
        **_figures(vcpus, memory, total),
    }


def _figures(vcpus: int, memory_mb: int, free: Free) -> dict[str, int]:
    return {
        "total_vcpus": vcpus,
        "total_memory": memory_mb,
        "available_vcpus": free.vcpus,
        "available_memory": free.memory_mb,
    }
