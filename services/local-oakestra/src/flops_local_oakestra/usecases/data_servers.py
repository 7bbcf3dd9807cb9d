"""The data servers of the learner nodes, started as a NodeEngine does it.

A NodeEngine never restarts a stopped one. Here it is restarted after two seconds and logged,
because a machine that plays several nodes should not need an operator for each.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from flops_contracts.ports import DATA_SERVER_PORT
from flops_local_oakestra.domain.published import PublishedPort
from flops_local_oakestra.domain.statuses import Status
from flops_local_oakestra.domain.topology import LEARNER_ADDON, Cluster, Node
from flops_local_oakestra.ports.runtime import Runtime, Workload
from flops_local_oakestra.usecases.keepers import Habits, Keeper, stop_all

logger = logging.getLogger(__name__)

_HABITS: Final = Habits(restart_seconds=2.0, grace_seconds=10.0)
_CONTAINER: Final = "ml_data_server"
_VOLUME: Final = "ml_data_server_volume"

Describe = Callable[[Node], Workload]
"""Returns the workload of a node's data server."""


class DataServers:
    """One data server for each node with the learner addon."""

    def __init__(
        self, runtime: Runtime, image: str, describe: Describe, clusters: Sequence[Cluster]
    ) -> None:
        self._runtime = runtime
        self._image = image
        self._describe = describe
        self._nodes = [
            node for cluster in clusters for node in cluster.nodes if LEARNER_ADDON in node.addons
        ]
        self._keepers: list[Keeper] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def start(self) -> None:
        """Start them all; without the image, log a warning instead.

        Like a NodeEngine, leave a data server alone that somebody else started under the name.
        """
        workloads = [self._describe(node) for node in self._nodes]
        missing = [item for item in workloads if not self._runtime.is_run_by_others(item)]
        if len(missing) < len(workloads):
            logger.info("%d data servers run already", len(workloads) - len(missing))
        if not missing:
            return
        if not self._runtime.has_image(self._image):
            logger.warning("no data servers: image %s is not in the image store", self._image)
            return
        with self._lock:
            if not self._is_closed:
                self._keepers = [self._keeper(workload) for workload in missing]
            for keeper in self._keepers:
                keeper.start()

    def close(self, grace_seconds: float, timeout_seconds: float) -> bool:
        """Stop them for good; return whether all ended in time."""
        with self._lock:
            self._is_closed = True
        return stop_all(self._keepers, grace_seconds, timeout_seconds)

    def _keeper(self, workload: Workload) -> Keeper:
        def report(status: Status, detail: str) -> None:
            is_bad = status in {Status.DEAD, Status.FAILED}
            log = logger.error if is_bad else logger.info
            log("%s is %s %s", workload.name, status, detail)

        return Keeper(self._runtime, workload, _HABITS, report)


def as_process(image: str, state: Path) -> Describe:
    """Run each at its node's own address, with a folder below ``state`` for its volume."""

    def describe(node: Node) -> Workload:
        volume = state / "nodes" / node.cluster / node.name / _VOLUME
        volume.mkdir(parents=True, exist_ok=True)
        return Workload(
            name=_name(node),
            image=image,
            address=node.address,
            environment={"FLOPS_BIND_ADDRESS": node.address, "FLOPS_DATA_VOLUME": str(volume)},
        )

    return describe


def as_container(image: str) -> Describe:
    """Run each as the NodeEngine does: without environment, its port published on all addresses.

    Nodes share this machine's ports, so only the first has the NodeEngine's port and names.
    """

    def describe(node: Node) -> Workload:
        port = int(node.data_server.rpartition(":")[2])
        suffix = "" if port == DATA_SERVER_PORT else f"_{port}"
        return Workload(
            name=_name(node),
            image=image,
            ports=(PublishedPort("", port, DATA_SERVER_PORT),),
            volumes={f"{_VOLUME}{suffix}": f"/{_VOLUME}"},
            container_name=f"{_CONTAINER}{suffix}",
        )

    return describe


def _name(node: Node) -> str:
    return f"ml-data-server.{node.cluster}.{node.name}"
