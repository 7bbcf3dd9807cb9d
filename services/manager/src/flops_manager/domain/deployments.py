"""What a deployment is, what all of them share, and which application each goes in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from flops_contracts.names import HELPER, OBSERVATORY, customer_namespace, project_application
from flops_contracts.roles import Role
from flops_contracts.sla import Flavor
from flops_manager.domain.subjects import Subject

GRID_PORT: Final = 8080
MODEL_PORT: Final = 8080
TRACKING_PORT: Final = 7027
OBSERVER_PORT: Final = 2727

_MEMORY_MB: Final = {
    Role.BUILDER: 1500,
    Role.AGGREGATOR: 500,
    Role.CLUSTER_AGGREGATOR: 500,
    Role.OBSERVER: 50,
    Role.TRACKING_SERVER: 500,
    Role.MODEL_SERVER: 500,
    Role.MOCK_DATA_PROVIDER: 600,
}
"""What services need that the SLA says nothing about. CPUs are shared, so none is asked for.

Engines hold containers to it. Each has half as much again as the scikit-learn sample was seen to
use, or more.
"""

_FRAMEWORK_MB: Final = 300
"""What PyTorch, TensorFlow and Keras take more: 530 MB were seen resident with TensorFlow."""

_IMPORTING: Final = frozenset({Role.AGGREGATOR, Role.CLUSTER_AGGREGATOR, Role.MODEL_SERVER})
"""The roles that import a project's framework. What learners need, the SLA says."""


def memory_mb(role: Role, flavor: Flavor = Flavor.SKLEARN) -> int:
    """Return what a service of ``role`` may use in a project of ``flavor``."""
    is_heavy = role in _IMPORTING and flavor is not Flavor.SKLEARN
    return _MEMORY_MB[role] + (_FRAMEWORK_MB if is_heavy else 0)


@dataclass(frozen=True)
class RegistryAccess:
    """How built images get into their registry. Nodes pull by the name that is in references."""

    push_address: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    has_tls: bool = True

    def environment(self) -> dict[str, str]:
        """Return what a builder is told; what is not set is left out."""
        told = {
            "FLOPS_IMAGE_PUSH_REGISTRY": self.push_address,
            "FLOPS_IMAGE_REGISTRY_USER": self.user,
            "FLOPS_IMAGE_REGISTRY_PASSWORD": self.password,
            "FLOPS_REGISTRY_TLS": "" if self.has_tls else "off",
        }
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True)
class Installation:
    """What every deployment of this FLOps has in common."""

    image_prefix: str
    image_tag: str
    mqtt_url: str
    mqtt_password: str = field(default="", repr=False)
    base_image_prefix: str = ""
    image_registry: str = ""
    registry_access: RegistryAccess = RegistryAccess()
    devel_image_tag: str = ""
    log_level: str = "INFO"
    keeps_logs: bool = True
    backend_store_url: str = ""
    artifact_store_url: str = ""
    allowed_hosts: str = ""
    join_timeout_seconds: int = 120
    heartbeat_seconds: float = 10
    data_server_token: str = field(default="", repr=False)
    data_server_ca: str = ""
    grid_tls_secret: str = field(default="", repr=False)
    otlp_endpoint: str = ""

    def image(self, folder: str, *, is_devel: bool = False) -> str:
        """Return the image of one of FLOps' own services."""
        return f"{self.image_prefix}/{folder}:{self.tag(is_devel=is_devel)}"

    def tag(self, *, is_devel: bool) -> str:
        """Return the tag of FLOps' own images."""
        return (self.devel_image_tag if is_devel else "") or self.image_tag


@dataclass(frozen=True)
class ApplicationKey:
    """An application at the orchestrator, by its names."""

    name: str
    namespace: str


@dataclass(frozen=True)
class Deployment:
    """One service with one instance. Empty texts and zeros mean: nothing asked.

    Without a ``node`` the orchestrator places it, on a node with ``addon`` if it honours that.
    """

    application: ApplicationKey
    name: str
    image: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory_mb: int = 0
    vcpus: int = 0
    storage_mb: int = 0
    is_one_shot: bool = True
    port: str = ""
    address: str = ""
    cluster: str = ""
    node: str = ""
    addon: str = ""


def observatory(customer_id: str) -> ApplicationKey:
    """Return the application of a customer's observers and tracking server."""
    return ApplicationKey(OBSERVATORY, customer_namespace(customer_id))


def helper(customer_id: str) -> ApplicationKey:
    """Return the application of a customer's mock data providers and served models."""
    return ApplicationKey(HELPER, customer_namespace(customer_id))


def actors(project: Subject) -> ApplicationKey:
    """Return the application of a project's builder, aggregator and learners."""
    return ApplicationKey(project_application(project.id), customer_namespace(project.customer_id))


def application_of(subject: Subject, role: Role) -> ApplicationKey:
    """Return the application that ``role`` is put in."""
    match role:
        case Role.OBSERVER | Role.TRACKING_SERVER:
            return observatory(subject.customer_id)
        case Role.MODEL_SERVER | Role.MOCK_DATA_PROVIDER:
            return helper(subject.customer_id)
        case _:
            return actors(subject)


def service_address(key: str, attempt: int) -> str:
    """Return an address in 10.30.128.0 - 10.30.253.253, avoiding the last octets 0, 254, 255.

    The orchestrator's own allocation counts up from 10.30.0.0 and hands out taken addresses; high
    ones are out of its way. ``attempt`` finds another one when this is taken.
    """
    number = int.from_bytes(sha256(f"{key}/{attempt}".encode()).digest()[:4])
    return f"10.30.{128 + number % 126}.{1 + number // 126 % 253}"
