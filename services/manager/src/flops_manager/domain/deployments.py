"""Deployments, what all of them share, and the application that each belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from flops_contracts.access import DataServerAccess, RegistryAccess
from flops_contracts.declared import declared
from flops_contracts.names import (
    HELPER,
    IMAGE_PREFIX,
    OBSERVATORY,
    customer_namespace,
    project_application,
)
from flops_contracts.ports import USED_PORTS
from flops_contracts.roles import Role
from flops_contracts.sla import Flavor
from flops_contracts.version import VERSION
from flops_manager.domain.subjects import Subject

_MEMORY_MB: Final = {
    Role.BUILDER: 1500,
    Role.AGGREGATOR: 500,
    Role.CLUSTER_AGGREGATOR: 500,
    Role.OBSERVER: 50,
    Role.TRACKING_SERVER: 500,
    Role.MODEL_SERVER: 500,
    Role.MOCK_DATA_PROVIDER: 600,
}
"""Memory of the services that the SLA does not describe. CPUs are shared, so none are requested.

Engines hold containers to it. Each has half as much again as the scikit-learn sample was seen to
use, or more.
"""

_FRAMEWORK_MB: Final = 300
"""More memory for PyTorch, TensorFlow and Keras: TensorFlow had 530 MB resident."""

_IMPORTING: Final = frozenset({Role.AGGREGATOR, Role.CLUSTER_AGGREGATOR, Role.MODEL_SERVER})
"""The roles that import a project's framework; the SLA says what learners need."""


def memory_mb(role: Role, flavor: Flavor = Flavor.SKLEARN) -> int:
    """Return what a service of ``role`` may use in a project of ``flavor``."""
    is_heavy = role in _IMPORTING and flavor is not Flavor.SKLEARN
    return _MEMORY_MB[role] + (_FRAMEWORK_MB if is_heavy else 0)


@dataclass(frozen=True)
class PortRange:
    """The ports of nodes that published services get, both ends included.

    A node forwards every connection to a published port, wherever it was meant to go. So each
    service gets a number of its own, and none that services use among themselves.
    """

    first: int = 21_000
    last: int = 24_999

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the range in a text such as 21000-24999; raise ``ValueError``."""
        first, _, last = text.partition("-")
        if not (first.strip().isdecimal() and last.strip().isdecimal()):
            raise ValueError("must be like 21000-24999")
        ports = cls(int(first), int(last))
        if not 1024 <= ports.first <= ports.last <= 65_535:
            raise ValueError(f"is {text}, but must rise and lie in 1024..65535")
        taken = sorted(set(USED_PORTS).intersection(ports.numbers))
        if taken:
            raise ValueError(f"contains {taken[0]}, which services use among themselves")
        return ports

    @property
    def numbers(self) -> range:
        """All of them."""
        return range(self.first, self.last + 1)

    def __str__(self) -> str:
        """Return the form that ``from_text`` reads."""
        return f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Installation:
    """The settings that all deployments of this FLOps share."""

    image_prefix: str = declared(IMAGE_PREFIX, "Where FLOps' images lie.", "FLOPS_IMAGE_PREFIX")
    image_tag: str = declared(VERSION, "Tag of FLOps' images.", "FLOPS_IMAGE_TAG")
    mqtt_url: str = declared(
        "", "The broker as actors reach it; default FLOPS_MQTT_URL.", "FLOPS_ACTOR_MQTT_URL"
    )
    mqtt_password: str = declared(
        "",
        "Password of the actors' user there; default FLOPS_MQTT_PASSWORD.",
        "FLOPS_ACTOR_MQTT_PASSWORD",
        secret=True,
    )
    base_image_prefix: str = declared(
        "",
        "Where the image-builder finds the base images of actors, if elsewhere.",
        "FLOPS_BASE_IMAGE_PREFIX",
    )
    image_registry: str = declared(
        "", "Registry for built images: host:port.", "FLOPS_IMAGE_REGISTRY"
    )
    registry_access: RegistryAccess = field(default_factory=RegistryAccess)
    devel_image_tag: str = declared(
        "", "Tag for SLAs with use_devel_base_images.", "FLOPS_DEVEL_IMAGE_TAG"
    )
    log_level: str = "INFO"
    keeps_logs: bool = True
    backend_store_url: str = declared(
        "",
        "Database of the tracking servers; {customer} becomes the customer's namespace.",
        "FLOPS_BACKEND_STORE_URL",
    )
    artifact_store_url: str = declared(
        "",
        "Artifact store of the tracking servers; {customer} as above.",
        "FLOPS_ARTIFACT_STORE_URL",
    )
    allowed_hosts: tuple[str, ...] = declared(
        (), "Names under which tracking servers answer.", "FLOPS_TRACKING_ALLOWED_HOSTS"
    )
    published_ports: PortRange = declared(
        PortRange(),
        "Ports of nodes that tracking servers, models and observers get, one each; open them in "
        "the nodes' firewalls.",
        "FLOPS_PUBLISHED_PORTS",
        parse=PortRange.from_text,
    )
    join_timeout_seconds: int = declared(
        120, "How long aggregators wait for learners.", "FLOPS_JOIN_TIMEOUT_SECONDS"
    )
    heartbeat_seconds: float = 10
    data_server: DataServerAccess = field(default_factory=DataServerAccess)
    grid_tls_secret: str = declared(
        "",
        "Random text that the keys of all projects' grids follow from; with FLOPS_GRID_TLS.",
        "FLOPS_GRID_TLS_SECRET",
        secret=True,
    )
    otlp_endpoint: str = declared(
        "",
        "The OpenTelemetry collector as actors reach it; default OTEL_EXPORTER_OTLP_ENDPOINT.",
        "FLOPS_ACTOR_OTLP_ENDPOINT",
    )

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
    """One service with one instance. Empty texts and zeros request nothing.

    ``port`` is published: the node forwards its own port of that number to the service.
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
    port: int = 0
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


def published_port(key: str, attempt: int, ports: range) -> int:
    """Return one of ``ports``; ``attempt`` finds another one when this is taken."""
    number = int.from_bytes(sha256(f"port/{key}/{attempt}".encode()).digest()[:4])
    return ports[number % len(ports)]
