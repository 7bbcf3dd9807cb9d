"""What the root reads and writes: SLAs from deployments, states and nodes from its documents."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.nodes import Node
from flops_manager.domain.states import Health, ServiceState

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
"""What the statuses mean; every other one is a step on the way to RUNNING."""

_WAITING: Final = "Waiting for scheduling decision"
"""A service's detail from its first deployment on, whatever happens; it says nothing."""


def decoded(body: Any) -> Any:
    """Return what an answer means: some are a JSON string that holds JSON."""
    return json.loads(body) if isinstance(body, str) else body


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
    """Return a deployment in the root's words."""
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
        document["port"] = deployment.port
    if deployment.address:
        document["addresses"] = {"rr_ip": deployment.address}
    return document


def constraints(deployment: Deployment) -> list[dict[str, Any]]:
    """Return where it may go. Current roots honour ``direct`` only, older ones the other two."""
    if deployment.node:
        return [{"type": "direct", "cluster": deployment.cluster, "node": deployment.node}]
    found: list[dict[str, Any]] = []
    if deployment.addon:
        found.append({"type": "addons", "needs": [deployment.addon]})
    if deployment.cluster:
        found.append({"type": "clusters", "allowed": [deployment.cluster]})
    return found


def id_of(document: Mapping[str, Any]) -> str:
    """Return the id of a service document."""
    identifier = document.get("microserviceID") or document.get("_id", "")
    return str(identifier["$oid"] if isinstance(identifier, Mapping) else identifier)


def state_from_document(document: Mapping[str, Any]) -> ServiceState:
    """Return the state of a service: its newest instance's, or its own if it has none."""
    instances: Sequence[Mapping[str, Any]] = document.get("instance_list") or ()
    newest = max(instances, key=lambda one: int(one.get("instance_number", 0)), default=None)
    source = document if newest is None else newest
    status = str(source.get("status") or "")
    detail = str(source.get("status_detail") or "")
    return ServiceState(
        job_id=id_of(document),
        health=_HEALTH.get(status, Health.WAITING),
        status=status,
        detail="" if detail == _WAITING else detail,
        public_address=str(source.get("publicip") or ""),
        logs=str(source.get("logs") or ""),
    )


def nodes_from_workers(cluster: str, workers: Sequence[Mapping[str, Any]]) -> tuple[Node, ...]:
    """Return the nodes that a cluster's resource API lists."""
    return tuple(
        Node(
            cluster=cluster,
            name=str(one["candidate_name"]),
            address=str(one.get("ip") or ""),
            addons=frozenset(one.get("supported_addons") or ()),
            vcpus=_number(one.get("available_vcpus", one.get("vcpus"))),
            memory_mb=_number(one.get("available_memory", one.get("memory"))),
        )
        for one in workers
        if one.get("active", True) and one.get("candidate_name")
    )


def node_of_cluster(document: Mapping[str, Any]) -> Node:
    """Return a cluster whose workers nobody lists as one node without a name."""
    return Node(
        cluster=str(document["candidate_name"]),
        name="",
        addons=frozenset(document.get("supported_addons") or ()),
        vcpus=_number(document.get("vcpus")),
        memory_mb=_number(document.get("memory")),
    )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
