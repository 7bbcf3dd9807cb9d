"""The settings that every actor of a project has, whatever its role."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from marshmallow import ValidationError

from flops_contracts.declared import load
from flops_contracts.events import Actor
from flops_contracts.privacy import NO_PRIVACY, Privacy
from flops_contracts.roles import Role
from flops_contracts.topics import Topics, mock_topics, project_topics
from flops_runtime.environment import Environment
from flops_runtime.tracing import NO_TRACES, TraceSettings

STATUS_PORT = 5080
PORT_SETTING = "FLOPS_STATUS_PORT"


@dataclass(frozen=True)
class MqttSettings:
    """How to reach the broker. ``url`` is mqtt://[user@]host:port, or mqtts:// for TLS."""

    url: str
    password: str = field(default="", repr=False)
    ca_file: str = ""
    connect_timeout_seconds: float = 60.0

    @property
    def host(self) -> str:
        """The broker's host."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def port(self) -> int:
        """The broker's port; FLOps' default is 9027."""
        return urlsplit(self.url).port or 9027

    @property
    def user(self) -> str:
        """The user to log in as; empty means nobody."""
        return urlsplit(self.url).username or ""

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @classmethod
    def from_env(cls, environment: Environment) -> "MqttSettings":
        """Read what starts with FLOPS_MQTT; the caller calls ``environment.check()``."""
        return cls(
            url=environment.text("FLOPS_MQTT_URL", help="Broker: mqtt[s]://[user@]host:port."),
            password=environment.text(
                "FLOPS_MQTT_PASSWORD", "", help="Password of the user in FLOPS_MQTT_URL."
            ),
            ca_file=environment.text(
                "FLOPS_MQTT_CA_FILE", "", help="Certificate authority to trust with mqtts://."
            ),
            connect_timeout_seconds=environment.seconds(
                "FLOPS_MQTT_CONNECT_TIMEOUT_SECONDS", 60, help="How long to try to connect."
            ),
        )


@dataclass(frozen=True)
class ProcessSettings:
    """What every process of FLOps is told: where to listen and how to log.

    ``port_setting`` is the variable that ``status_port`` is from.
    """

    bind_address: str = "0.0.0.0"  # noqa: S104 - a container's own network
    status_port: int = STATUS_PORT
    log_level: str = "INFO"
    log_format: str = "auto"
    port_setting: str = PORT_SETTING

    @classmethod
    def from_env(
        cls,
        environment: Environment,
        port_setting: str = PORT_SETTING,
        default_port: int = STATUS_PORT,
    ) -> "ProcessSettings":
        """Read them; the caller calls ``environment.check()``.

        A service whose status API has a port of its own says which variable sets it.
        """
        return cls(
            bind_address=environment.text(
                "FLOPS_BIND_ADDRESS", cls.bind_address, help="Address that every port binds to."
            ),
            status_port=environment.whole(
                port_setting, default_port, help="Port of the status API.", maximum=65535
            ),
            port_setting=port_setting,
            log_level=environment.text(
                "FLOPS_LOG_LEVEL",
                cls.log_level,
                help="Least severe level that is logged.",
                choices=("DEBUG", "INFO", "WARNING", "ERROR"),
            ),
            log_format=environment.text(
                "FLOPS_LOG_FORMAT",
                cls.log_format,
                help="Plain lines, or a JSON object a line; auto is plain on a terminal only.",
                choices=("auto", "plain", "json"),
            ),
        )


@dataclass(frozen=True)
class ActorSettings:
    """Who this process is in which project or mock, and how it reports."""

    actor: Actor
    subject_id: str
    stage: str
    is_mock: bool
    mqtt: MqttSettings
    process: ProcessSettings
    acknowledge_timeout_seconds: float = 60.0
    heartbeat_seconds: float = 10.0
    ships_logs: bool = True
    traces: TraceSettings = NO_TRACES

    @property
    def holds_logs(self) -> bool:
        """Whether what it logs stays here until the owner of its node's data was asked."""
        return self.actor.role is Role.LEARNER

    @property
    def topics(self) -> Topics:
        """The topics of this actor's project or mock."""
        return mock_topics(self.subject_id) if self.is_mock else project_topics(self.subject_id)

    @classmethod
    def from_env(cls, environment: Environment, role: Role) -> "ActorSettings":
        """Read them for ``role``; the caller calls ``environment.check()``."""
        is_mock = role is Role.MOCK_DATA_PROVIDER
        subject = "FLOPS_MOCK_ID" if is_mock else "FLOPS_PROJECT_ID"
        actor = Actor(
            role=role,
            instance=environment.text("FLOPS_INSTANCE", help="This service's name at the root."),
            cluster=environment.text("FLOPS_CLUSTER", "", help="Cluster it was placed in."),
            node=environment.text("FLOPS_NODE", "", help="Node it was placed on."),
        )
        return cls(
            actor=actor,
            subject_id=environment.text(subject, help="Id of the project or mock it works for."),
            stage=environment.text(
                "FLOPS_STAGE", help="Stage it was started for; repeated in every message."
            ),
            is_mock=is_mock,
            mqtt=MqttSettings.from_env(environment),
            process=ProcessSettings.from_env(environment),
            acknowledge_timeout_seconds=environment.seconds(
                "FLOPS_ACKNOWLEDGE_TIMEOUT_SECONDS",
                cls.acknowledge_timeout_seconds,
                help="How long to wait until the manager confirms the result.",
            ),
            heartbeat_seconds=environment.seconds(
                "FLOPS_HEARTBEAT_SECONDS", cls.heartbeat_seconds, help="Time between heartbeats."
            ),
            ships_logs=environment.flag(
                "FLOPS_SHIP_LOGS", default=True, help="Send what is logged to the manager."
            ),
            traces=TraceSettings.from_env(environment),
        )


def privacy_from(environment: Environment) -> Privacy:
    """Read what is promised to learners; the caller calls ``environment.check()``."""
    document = environment.document(
        "FLOPS_PRIVACY", {}, help="What is promised to learners, as the SLA's `privacy` has it."
    )
    try:
        return load(Privacy, document)
    except ValidationError as error:
        environment.refuse(f"FLOPS_PRIVACY is wrong: {error.messages}")
        return NO_PRIVACY
