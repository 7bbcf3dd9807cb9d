"""The root's documents: SLAs from deployments; states and nodes from its answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flops_contracts.text import storable
from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.nodes import Node
from flops_manager.domain.states import Health, ServiceState
from flops_runtime.logs import readable

_HEALTH: Final = {
    "RUNNING": Health.RUNNING,
    "COMPLETED": Health.ENDED,
    "DEAD": Health.DEAD,
    "FAILED": Health.DEAD,
    "TargetClusterNotFound": Health.UNPLACEABLE,
    "TargetClusterNotActive": Health.UNPLACEABLE,
    "TargetClusterNoCapacity": Health.UNPLACEABLE,
    "NoActiveClusterWithCapacity": Health.UNPLACEABLE,
    "NO_WORKER_CAPACITY": Health.UNPLACEABLE,
    "NO_QUALIFIED_WORKER_FOUND": Health.UNPLACEABLE,
    "NO_NODE_FOUND": Health.UNPLACEABLE,
}
"""The meaning of statuses; every other one is a step on the way to RUNNING."""

_UNDER_WAY: Final = frozenset(
    {"REQUESTED", "CLUSTER_SCHEDULED", "NODE_SCHEDULED", "CREATING", "CREATED"}
)
"""The statuses of instances that the root is still starting."""

LOG_BYTES: Final = 1024
"""The root shows the last bytes of a log, even if they begin inside a line."""

_LONGEST_LETTER: Final = 4

_MEANINGLESS: Final = frozenset({"Waiting for scheduling decision", "Container is starting up"})
"""Details that stay whatever happens: of a service since its first deployment, and of an instance
since its start, because NodeEngine does not report how one ended.
"""


def application_sla(
    application: ApplicationKey, customer: str, application_id: str = "", *microservices: Any
) -> dict[str, Any]:
    """Return the SLA of an application, or of services that are added to it by its id."""
    return {
        "sla_version": "v2.0",
        "customerID": customer,
        "applications": [
            {
                "applicationID": application_id,
                "application_name": application.name,
                "application_namespace": application.namespace,
                "application_desc": "FLOps",
                "microservices": list(microservices),
            }
        ],
    }


def microservice(deployment: Deployment) -> dict[str, Any]:
    """Return a deployment as the root's document."""
    environment = [f"{key}={value}" for key, value in deployment.environment.items()]
    document: dict[str, Any] = {
        "microserviceID": "",
        "microservice_name": deployment.name,
        "microservice_namespace": deployment.application.namespace,
        "virtualization": "container",
        "code": deployment.image,
        "cmd": [],
        "environment": environment,
        "memory": deployment.memory_mb,
        "vcpus": deployment.vcpus,
        "storage": deployment.storage_mb,
        "one_shot": deployment.is_one_shot,
        "constraints": constraints(deployment),
    }
    if deployment.port:
        document["port"] = f"{deployment.port}:{deployment.port}"
    if deployment.address:
        document["addresses"] = {"rr_ip": deployment.address}
    return document


def constraints(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the constraints. Current roots honour ``direct`` only, older ones the other two."""
    if deployment.node:
        return [{"type": "direct", "cluster": deployment.cluster, "node": deployment.node}]
    result: list[dict[str, Any]] = []
    if deployment.addon:
        result.append({"type": "addons", "needs": [deployment.addon]})
    if deployment.cluster:
        result.append({"type": "clusters", "allowed": [deployment.cluster]})
    return result


def hex_id(value: Any) -> str:
    """Return an id as text; ids of the root's database are wrapped."""
    return str(value["$oid"] if isinstance(value, Mapping) else value)


def id_of(document: Mapping[str, Any]) -> str:
    """Return the id of a service document."""
    return hex_id(document.get("microserviceID") or document["_id"])


def instances_of(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the instances of a service; null means none."""
    return document.get("instance_list") or ()


def was_deployed(document: Mapping[str, Any]) -> bool:
    """Return whether an instance was ever requested: a service has no status before."""
    return bool(document.get("status") or instances_of(document))


def is_under_way(document: Mapping[str, Any]) -> bool:
    """Return whether the root is starting a first instance, or believes so."""
    statuses = {str(instance.get("status")) for instance in instances_of(document)}
    return (statuses or {str(document.get("status"))}) <= _UNDER_WAY


def state_from_document(document: Mapping[str, Any]) -> ServiceState:
    """Return the state of a service: its newest instance's, or its own if it has none."""
    newest = max(
        instances_of(document), key=lambda each: int(each.get("instance_number", 0)), default=None
    )
    source = document if newest is None else newest
    status = str(source.get("status") or "")
    detail = storable(str(source.get("status_detail") or ""))
    return ServiceState(
        job_id=id_of(document),
        health=_HEALTH.get(status, Health.WAITING),
        status=status,
        detail="" if detail in _MEANINGLESS else detail,
        # NodeEngine reports the first in two of its messages only, which a root may never get.
        public_address=str(source.get("publicip") or source.get("host_ip") or ""),
        port=published_port_of(document),
        logs=_readable(_whole_lines(storable(str(source.get("logs") or "")))),
    )


def published_port_of(document: Mapping[str, Any]) -> int:
    """Return the first port of its node that a service asks for; 0 if there is none."""
    first = str(document.get("port") or "").partition(";")[0].partition(":")[0]
    number = first.partition("/")[0].strip()
    return int(number) if number.isdecimal() else 0


def nodes_from_workers(cluster: str, workers: Sequence[Mapping[str, Any]]) -> tuple[Node, ...]:
    """Return the nodes that a cluster's resource API lists."""
    return tuple(
        Node(
            cluster=cluster,
            name=str(worker["candidate_name"]),
            address=str(worker.get("ip") or ""),
            # Only local-oakestra reports this, for containers on one machine.
            data_server=str(worker.get("flops_data_server") or ""),
            addons=frozenset(worker.get("supported_addons") or ()),
            vcpus=_number(worker.get("available_vcpus", worker.get("vcpus"))),
            memory_mb=_number(worker.get("available_memory", worker.get("memory"))),
            total_vcpus=_number(worker.get("total_vcpus", worker.get("vcpus"))),
            total_memory_mb=_total_memory(worker),
        )
        for worker in workers
        if worker.get("active", True) and worker.get("candidate_name")
    )


def _total_memory(worker: Mapping[str, Any]) -> float | None:
    """Return the memory of a worker in MB; real ones report what is free, and how much is used."""
    total = _number(worker.get("total_memory"))
    free, used_percent = _number(worker.get("memory")), _number(worker.get("memory_percent"))
    if total is not None or free is None or used_percent is None:
        return total
    return free / (1 - used_percent / 100) if 0 <= used_percent < 100 else None


def honours_addons(cluster: Mapping[str, Any]) -> bool:
    """Return whether the cluster's root honours the constraints ``addons`` and ``clusters``.

    The root does not report its version. Releases up to v0.4.402 (April 2025) honour them, and
    have no CSI drivers; v0.4.410 (April 2026) is the first with the drivers and without the check.
    """
    return "csi_drivers" not in cluster


def node_of_cluster(document: Mapping[str, Any]) -> Node:
    """Return a cluster that does not list its workers as one node without a name.

    Where the root ignores the constraint, only an addon that each worker has can be relied on.
    """
    addons = Counter(document.get("supported_addons") or ())
    needed = 1 if honours_addons(document) else int(document.get("active_nodes") or 1)
    return Node(
        cluster=str(document["candidate_name"]),
        name="",
        addons=frozenset(addon for addon, count in addons.items() if count >= needed),
        vcpus=_number(document.get("vcpus")),
        memory_mb=_number(document.get("memory")),
    )


def _readable(logs: str) -> str:
    return "\n".join(readable(line) for line in logs.split("\n"))


def _whole_lines(logs: str) -> str:
    """Remove the first line if it is only a part of one."""
    if len(logs.encode()) < LOG_BYTES - _LONGEST_LETTER or "\n" not in logs.rstrip("\n"):
        return logs
    return logs.partition("\n")[2]


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
