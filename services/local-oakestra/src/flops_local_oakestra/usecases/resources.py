"""Clusters and nodes, and their free resources."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from flops_local_oakestra.domain.resources import Load, cluster_document, node_document
from flops_local_oakestra.domain.topology import Cluster
from flops_local_oakestra.usecases.deployments import Deployments


class Resources:
    """The topology, all of which is active as long as this process runs."""

    def __init__(
        self,
        clusters: Sequence[Cluster],
        deployments: Deployments,
        load: Callable[[], Load],
        now: Callable[[], datetime],
        *,
        is_old: bool = False,
    ) -> None:
        self.clusters = clusters
        self._deployments = deployments
        self._load = load
        self._now = now
        self._is_old = is_old

    def active_clusters(self) -> list[dict[str, Any]]:
        """Return all clusters."""
        free, load, now = self._deployments.free, self._load(), self._now().timestamp()
        documents = [cluster_document(cluster, free, load, now) for cluster in self.clusters]
        if self._is_old:
            for document in documents:
                del document["csi_drivers"]
        return documents

    def nodes(self, cluster: Cluster) -> list[dict[str, Any]]:
        """Return the nodes of a cluster."""
        load, now = self._load(), self._now().timestamp()
        free = self._deployments.free
        return [node_document(node, free(node), load, now) for node in cluster.nodes]
