"""Every node for learners has a data server, started as the NodeEngine does it.

The NodeEngine never restarts a stopped one. Here it comes back after two seconds, loudly: a
machine that plays several nodes should not need a person to look after each.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flops_local_oakestra.domain.statuses import Status
from flops_local_oakestra.domain.topology import LEARNER_ADDON, Cluster, Node
from flops_local_oakestra.ports.runtime import Runtime, Workload
from flops_local_oakestra.usecases.keepers import Habits, Keeper, stop_all

logger = logging.getLogger(__name__)

_HABITS: Final = Habits(restart_seconds=2.0, grace_seconds=10.0)


class DataServers:
    """One data server for each node with the learner addon."""

    def __init__(
        self, runtime: Runtime, image: str, state: Path, clusters: Sequence[Cluster]
    ) -> None:
        self._runtime = runtime
        self._image = image
        self._state = state
        self._nodes = [
            node for cluster in clusters for node in cluster.nodes if LEARNER_ADDON in node.addons
        ]
        self._keepers: list[Keeper] = []

    def start(self) -> None:
        """Start them all; without the image there are none, which the log says."""
        if not self._runtime.has_image(self._image):
            logger.warning("no data servers: image %s is not in the image store", self._image)
            return
        for node in self._nodes:
            keeper = self._keeper(node)
            self._keepers.append(keeper)
            keeper.start()

    def close(self, grace_seconds: float, timeout_seconds: float) -> bool:
        """Stop them for good; say whether none is left."""
        return stop_all(self._keepers, grace_seconds, timeout_seconds)

    def _keeper(self, node: Node) -> Keeper:
        volume = self._state / "nodes" / node.cluster / node.name / "ml_data_server_volume"
        volume.mkdir(parents=True, exist_ok=True)
        workload = Workload(
            name=f"ml-data-server.{node.cluster}.{node.name}",
            image=self._image,
            address=node.address,
            environment={"FLOPS_BIND_ADDRESS": node.address, "FLOPS_DATA_VOLUME": str(volume)},
        )

        def report(status: Status, detail: str) -> None:
            is_bad = status in {Status.DEAD, Status.FAILED}
            log = logger.error if is_bad else logger.info
            log("the data server of %s/%s is %s %s", node.cluster, node.name, status, detail)

        return Keeper(self._runtime, workload, _HABITS, report)
