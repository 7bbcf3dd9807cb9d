"""The settings that every process has, and those of every actor of a project."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flops_contracts.access import BrokerAccess
from flops_contracts.declared import declared
from flops_contracts.events import Actor
from flops_contracts.orders import MOCK_ID, Assignment
from flops_contracts.ports import STATUS_PORT
from flops_contracts.roles import Role
from flops_contracts.topics import Topics, actor_topics
from flops_runtime.tracing import TraceSettings


@dataclass(frozen=True)
class MqttSettings(BrokerAccess):
    """How to reach the broker."""

    ca_file: str = declared(
        "", "Certificate authority to trust with mqtts://.", "FLOPS_MQTT_CA_FILE"
    )
    connect_timeout_seconds: float = declared(
        60.0, "How long to try to connect.", "FLOPS_MQTT_CONNECT_TIMEOUT_SECONDS"
    )

    @property
    def host(self) -> str:
        """The broker's host."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def port(self) -> int:
        """The broker's port."""
        return urlsplit(self.url).port or 9027

    @property
    def user(self) -> str:
        """The user to log in as; empty for an anonymous login."""
        return urlsplit(self.url).username or ""

    @property
    def is_tls(self) -> bool:
        """True if the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"


@dataclass(frozen=True)
class LogSettings:
    """How a process logs."""

    log_level: str = declared(
        "INFO",
        "Least severe level that is logged.",
        "FLOPS_LOG_LEVEL",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    log_format: str = declared(
        "auto",
        "Plain lines, or a JSON object per line; auto is plain on a terminal only.",
        "FLOPS_LOG_FORMAT",
        choices=("auto", "plain", "json"),
    )


@dataclass(frozen=True, kw_only=True)
class ProcessSettings(LogSettings):
    """Where a process listens, and how it logs."""

    bind_address: str = declared(
        "0.0.0.0",  # noqa: S104 - a container's own network
        "Address that every port binds to.",
        "FLOPS_BIND_ADDRESS",
    )
    status_port: int = declared(
        STATUS_PORT, "Port of the status API.", "FLOPS_STATUS_PORT", maximum=65535
    )


@dataclass(frozen=True, kw_only=True)
class ActorSettings(Assignment):
    """Which actor of which project or mock this process is, and how it reports."""

    role: Role
    mqtt: MqttSettings
    process: ProcessSettings
    acknowledge_timeout_seconds: float = declared(
        60.0,
        "How long to wait until the manager confirms the result.",
        "FLOPS_ACKNOWLEDGE_TIMEOUT_SECONDS",
    )
    traces: TraceSettings = field(default_factory=TraceSettings)

    @property
    def actor(self) -> Actor:
        """How this process calls itself in events."""
        return Actor(self.role, self.instance, self.cluster, self.node)

    @property
    def holds_logs(self) -> bool:
        """True if its logs stay here until the owner of its node's data allows sending them."""
        return self.role is Role.LEARNER

    @property
    def topics(self) -> Topics:
        """The topics of this actor's project or mock."""
        return actor_topics(self.role, self.subject_id)


@dataclass(frozen=True, kw_only=True)
class MockActorSettings(ActorSettings):
    """Which actor of which mock this process is, and how it reports."""

    subject_id: str = field(metadata=MOCK_ID)
