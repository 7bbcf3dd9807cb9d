"""Surveys the nodes: what is free on them, and the data that they hold."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from flops_contracts.api.answers import TagStats
from flops_manager.domain.nodes import LEARNER_ADDON, Landscape, Node, PlacementMode
from flops_manager.ports.data_servers import DataServers
from flops_manager.ports.orchestrator import Orchestrator

AT_ONCE: Final = 8


class Survey:
    """Reads the nodes from the orchestrator, and their data from their data servers."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        data_servers: DataServers,
        placement: PlacementMode = PlacementMode.AUTO,
    ) -> None:
        self._orchestrator = orchestrator
        self._data_servers = data_servers
        self._placement = placement

    def look(self) -> Landscape:
        """Return the nodes and their data, sorted; data servers that do not answer are left out."""
        nodes = tuple(sorted(self._orchestrator.nodes(), key=lambda node: node.label))
        holders = [node for node in nodes if LEARNER_ADDON in node.addons and node.data_address]
        if not holders:
            return Landscape(nodes, mode=self._placement)
        with ThreadPoolExecutor(min(AT_ONCE, len(holders)), "survey") as pool:
            answers = pool.map(self._stats, holders)
        data = {
            node.label: stats
            for node, stats in zip(holders, answers, strict=True)
            if stats is not None
        }
        return Landscape(nodes, data, self._placement)

    def _stats(self, node: Node) -> Mapping[str, TagStats] | None:
        return self._data_servers.stats(node.data_address)
