"""The nodes of a root, from the clusters' resource APIs, or else summed up by the root."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from flops_manager.adapters.oakestra_documents import (
    honours_addons,
    node_of_cluster,
    nodes_from_workers,
)
from flops_manager.adapters.oakestra_session import (
    OakestraSession,
    direct_session,
    document_of,
    reaching,
    understanding,
)
from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError
from flops_manager.domain.nodes import Node

logger = logging.getLogger(__name__)

RESOURCE_PORT: Final = 11012
TIMEOUT_SECONDS: Final = (2.0, 5.0)
AT_ONCE: Final = 8


class OakestraNodes:
    """Asks every active cluster for its workers."""

    def __init__(self, session: OakestraSession, resource_port: int = RESOURCE_PORT) -> None:
        self._session = session
        self._http = direct_session()
        self._resource_port = resource_port

    def list(self) -> Sequence[Node]:
        """Return the active nodes.

        A cluster that does not list its workers counts as one node without a name, if services can
        be placed there: the root honours addons, or all of the cluster's workers have them.
        """
        clusters = self._session.fetch_active_clusters() or []
        if not clusters:
            return ()
        with ThreadPoolExecutor(min(AT_ONCE, len(clusters)), "clusters") as pool:
            listed = list(pool.map(self._workers_of, clusters))
        with understanding("GET /api/clusters/active"):
            named = [node for nodes in listed for node in nodes or ()]
            whole = [
                node_of_cluster(cluster)
                for cluster, nodes in zip(clusters, listed, strict=True)
                if nodes is None and (not named or honours_addons(cluster))
            ]
        return (*named, *whole)

    def _workers_of(self, cluster: Mapping[str, Any]) -> Sequence[Node] | None:
        """Return the cluster's nodes, or None if its resource API does not answer."""
        with understanding("GET /api/clusters/active"):
            name, host = str(cluster["candidate_name"]), str(cluster.get("ip") or "")
        url = f"http://{host}:{self._resource_port}/api/v1/resources/"
        try:
            with reaching(url):
                answer = self._http.get(url, params={"active": "true"}, timeout=TIMEOUT_SECONDS)
            with understanding(url):
                return nodes_from_workers(name, document_of(answer) or [])
        except (OrchestratorUnavailableError, OrchestratorRefusedError) as error:
            logger.warning("cannot list the workers of %s: %s", name, error.reason)
            return None
