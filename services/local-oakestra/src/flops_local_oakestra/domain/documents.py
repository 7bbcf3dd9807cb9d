"""Applications, services and instances, and the documents that the root returns for them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flops_local_oakestra.domain.errors import BrokenDescriptorError
from flops_local_oakestra.domain.placement import Demand
from flops_local_oakestra.domain.statuses import Status
from flops_local_oakestra.domain.topology import Cluster, Node

Document = dict[str, Any]


@dataclass(eq=False)
class Application:
    """An application; ``fields`` are those of the SLA, unknown keys included."""

    id: str
    user: str
    fields: Document
    service_ids: list[str] = field(default_factory=list)

    def document(self) -> Document:
        """Return the root's document."""
        return {
            "_id": {"$oid": self.id},
            **self.fields,
            "applicationID": self.id,
            "microservices": list(self.service_ids),
            "userId": self.user,
        }


@dataclass(frozen=True)
class Report:
    """A node's last report about an instance: its resource usage and its last output."""

    cpu_percent: str = ""
    memory_percent: str = ""
    disk: str = "0"
    logs: str = ""
    cpu_history: tuple[Document, ...] = ()
    memory_history: tuple[Document, ...] = ()


@dataclass(eq=False)
class Instance:
    """One running copy of a service."""

    number: int
    cluster: Cluster
    demand: Demand
    node: Node | None = None
    address: str = ""
    public_address: str = ""
    status: Status = Status.CLUSTER_SCHEDULED
    status_detail: str = ""
    modified_timestamp: float = 0.0

    def document(self, report: Report) -> Document:
        """Return an entry of ``instance_list``; without a node it has only four keys."""
        scheduled: Document = {
            "instance_number": self.number,
            "cluster_id": self.cluster.id,
            "cluster_location": self.cluster.name,
            "status": str(self.status),
        }
        if self.node is None:
            return scheduled
        return {
            **scheduled,
            "status_detail": self.status_detail,
            **({"publicip": self.public_address} if self.public_address else {}),
            "host_ip": self.node.address,
            "host_port": "50103",
            "worker_id": self.node.id,
            "cpu_percent": report.cpu_percent,
            "memory_percent": report.memory_percent,
            "disk": report.disk,
            "cpu_history": list(report.cpu_history),
            "memory_history": list(report.memory_history),
            "logs": report.logs,
            "last_modified_timestamp": self.modified_timestamp,
        }


@dataclass(eq=False)
class Service:
    """A service (a job, at the root); ``fields`` is its document without the instances."""

    id: str
    fields: Document
    next_number: int = 0
    instances: list[Instance] = field(default_factory=list)

    @property
    def job_name(self) -> str:
        """The name that is unique over all users."""
        return str(self.fields["job_name"])

    @property
    def application_id(self) -> str:
        """The application it was last created for."""
        return str(self.fields["applicationID"])

    @property
    def is_one_shot(self) -> bool:
        """True for a service that ends by itself."""
        return bool(self.fields.get("one_shot"))

    @property
    def service_address(self) -> str:
        """The requested 10.30 address, or an empty string."""
        return str(self.fields.get("RR_ip") or "")

    def document(self, reports: Mapping[int, Report]) -> Document:
        """Return the root's document; ``reports`` are by instance number."""
        return {
            "_id": {"$oid": self.id},
            **self.fields,
            "next_instance_progressive_number": self.next_number,
            "instance_list": [
                instance.document(reports.get(instance.number, Report()))
                for instance in self.instances
            ],
        }


def service_fields(application: Application, microservice: Document) -> Document:
    """Return the root's document for a microservice of an SLA."""
    fields = copy.deepcopy(microservice)
    if fields["virtualization"] == "unikernel" and "arch" not in fields:
        raise BrokenDescriptorError("a unikernel needs an arch")
    app_name = application.fields["application_name"]
    app_ns = application.fields["application_namespace"]
    name, namespace = fields["microservice_name"], fields["microservice_namespace"]
    if fields["virtualization"] == "container":
        fields["virtualization"] = "docker"
    fields.update(
        job_name=f"{app_name}.{app_ns}.{name}.{namespace}",
        service_name=name,
        service_ns=namespace,
        app_name=app_name,
        app_ns=app_ns,
        applicationID=application.id,
        image=fields["code"],
    )
    addresses = fields.get("addresses")
    if addresses is not None:
        fields.update(RR_ip=addresses.get("rr_ip"), RR_ip_v6=addresses.get("rr_ip_v6"))
    return fields
