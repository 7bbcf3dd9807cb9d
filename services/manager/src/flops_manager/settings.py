"""What the manager is told from outside."""

from dataclasses import dataclass, field, replace
from typing import Any

from flops_contracts.version import VERSION
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.deployments import Installation, RegistryAccess
from flops_manager.domain.nodes import PlacementMode
from flops_manager.usecases.kept_logs import LogLimits
from flops_manager.usecases.rhythm import Rhythm
from flops_runtime.environment import REQUIRED, Environment
from flops_runtime.settings import MqttSettings, ProcessSettings
from flops_runtime.tracing import TraceSettings

API_PORT = 5072
HOOK_PORT = 5075


@dataclass(frozen=True)
class HookSettings:
    """Where webhooks are registered, and where the root and this process meet for them."""

    hooks_url: str
    own_url: str
    port: int


@dataclass(frozen=True)
class Settings:
    """The settings of both processes, ``api`` and ``worker``."""

    process: ProcessSettings
    mqtt: MqttSettings
    installation: Installation
    traces: TraceSettings
    limits: Limits
    rhythm: Rhythm
    oakestra_url: str
    oakestra_user: str
    mongo_url: str = field(repr=False)
    oakestra_password: str = field(repr=False)
    oakestra_organization: str = ""
    oakestra_key_url: str = ""
    hooks: HookSettings | None = None
    resource_port: int = 11012
    registry_ca_file: str = ""
    image_store: str = ""
    placement: PlacementMode = PlacementMode.AUTO
    auth: bool = True
    log_limits: LogLimits = field(default_factory=LogLimits)
    api_port: int = API_PORT
    api_processes: int = 1
    api_threads: int = 16
    max_streams: int = 16

    @property
    def bind_address(self) -> str:
        """The address that the API binds to."""
        return self.process.bind_address

    @property
    def data_server_token(self) -> str:
        """What the manager itself shows at data servers: the same as its learners."""
        return self.installation.data_server_token

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; the caller calls ``environment.check()``."""
        mqtt = MqttSettings.from_env(environment)
        process = ProcessSettings.from_env(environment)
        traces = TraceSettings.from_env(environment)
        limits = _limits(environment)
        log_limits = _log_limits(environment)
        return cls(
            process=process,
            mqtt=mqtt,
            traces=traces,
            installation=replace(
                _installation(environment, mqtt, process),
                otlp_endpoint=environment.text(
                    "FLOPS_ACTOR_OTLP_ENDPOINT",
                    traces.endpoint,
                    help="The OpenTelemetry collector as actors reach it.",
                ),
                heartbeat_seconds=limits.heartbeat_seconds,
                keeps_logs=log_limits.days > 0,
            ),
            limits=limits,
            rhythm=_rhythm(environment),
            mongo_url=environment.text(
                "FLOPS_MONGO_URL", help="Database: mongodb://[user:password@]host:port[/name]."
            ),
            hooks=_hooks(environment),
            registry_ca_file=environment.text(
                "FLOPS_REGISTRY_CA_FILE", "", help="Certificate authority of the image registry."
            ),
            image_store=environment.text(
                "FLOPS_IMAGE_STORE", "", help="Folder of built images where there is no registry."
            ),
            log_limits=log_limits,
            **_oakestra(environment),
            **_api(environment),
        )


def _oakestra(environment: Environment) -> dict[str, Any]:
    return {
        "oakestra_url": environment.text(
            "FLOPS_OAKESTRA_URL", help="System manager of the root: http://host:10000."
        ),
        "oakestra_user": environment.text(
            "FLOPS_OAKESTRA_USER", "Admin", help="The manager's own account at the root."
        ),
        "oakestra_password": environment.text(
            "FLOPS_OAKESTRA_PASSWORD", help="Password of that account."
        ),
        "oakestra_organization": environment.text(
            "FLOPS_OAKESTRA_ORGANIZATION",
            "",
            help="Organization of that account, if not the default.",
        ),
        "oakestra_key_url": environment.text(
            "FLOPS_OAKESTRA_KEY_URL",
            "",
            help="Key endpoint for users' tokens: http://host:10011. Without it the root is asked.",
        ),
        "resource_port": environment.whole(
            "FLOPS_CLUSTER_RESOURCE_PORT",
            11012,
            help="Port of the clusters' resource APIs.",
            maximum=65535,
        ),
        "placement": _placement(environment),
    }


def _log_limits(environment: Environment) -> LogLimits:
    return LogLimits(
        days=environment.whole(
            "FLOPS_LOG_DAYS",
            LogLimits.days,
            help="How long what actors log is kept; 0: it is not even sent.",
        ),
        characters=environment.whole(
            "FLOPS_LOG_MB",
            LogLimits.characters // 10**6,
            help="How much of it is kept of each project; the oldest goes first.",
            minimum=1,
        )
        * 10**6,
    )


def _placement(environment: Environment) -> PlacementMode:
    word = environment.text(
        "FLOPS_PLACEMENT",
        PlacementMode.AUTO,
        help="Who chooses nodes: the manager (direct) or the root (addons).",
        choices=tuple(PlacementMode),
    )
    # A wrong word is told with all other mistakes, by ``check``.
    return next((mode for mode in PlacementMode if mode == word), PlacementMode.AUTO)


def _hooks(environment: Environment) -> HookSettings | None:
    hooks_url = environment.text(
        "FLOPS_OAKESTRA_HOOKS_URL",
        "",
        help="The root's resource abstractor, for webhooks: http://host:11011. Without it, "
        "services are only polled.",
    )
    own_url = environment.text(
        "FLOPS_HOOK_URL",
        REQUIRED if hooks_url else "",
        help="Where the root reaches the worker, for webhooks: http://host:5075.",
    )
    port = environment.whole(
        "FLOPS_HOOK_PORT", HOOK_PORT, help="Port that the worker hears webhooks on.", maximum=65535
    )
    return HookSettings(hooks_url, own_url, port) if hooks_url else None


def _api(environment: Environment) -> dict[str, Any]:
    return {
        "auth": environment.flag(
            "FLOPS_AUTH", default=True, help="Off only on loopback: anybody may do anything."
        ),
        "api_port": environment.whole(
            "FLOPS_API_PORT", API_PORT, help="Port of the API.", maximum=65535
        ),
        "api_processes": environment.whole(
            "FLOPS_API_PROCESSES", 1, help="Processes that serve the API.", minimum=1, maximum=64
        ),
        "api_threads": environment.whole(
            "FLOPS_API_THREADS",
            16,
            help="Threads for requests in each; live streams have theirs beside.",
            minimum=1,
            maximum=256,
        ),
        "max_streams": environment.whole(
            "FLOPS_API_MAX_STREAMS", 16, help="Live event streams in each process.", maximum=1000
        ),
    }


def _installation(
    environment: Environment, mqtt: MqttSettings, process: ProcessSettings
) -> Installation:
    return Installation(
        image_prefix=environment.text(
            "FLOPS_IMAGE_PREFIX", "ghcr.io/oakestra/addon-flops", help="Where FLOps' images lie."
        ),
        base_image_prefix=environment.text(
            "FLOPS_BASE_IMAGE_PREFIX",
            "",
            help="Where the image-builder finds the base images of actors, if elsewhere.",
        ),
        image_tag=environment.text("FLOPS_IMAGE_TAG", VERSION, help="Tag of FLOps' images."),
        devel_image_tag=environment.text(
            "FLOPS_DEVEL_IMAGE_TAG", "", help="Tag for SLAs with use_devel_base_images."
        ),
        image_registry=environment.text(
            "FLOPS_IMAGE_REGISTRY", "", help="Registry for built images: host:port."
        ),
        registry_access=_registry_access(environment),
        mqtt_url=environment.text(
            "FLOPS_ACTOR_MQTT_URL", mqtt.url, help="The broker as actors reach it."
        ),
        mqtt_password=environment.text(
            "FLOPS_ACTOR_MQTT_PASSWORD", mqtt.password, help="Password of the actors' user there."
        ),
        log_level=process.log_level,
        backend_store_url=environment.text(
            "FLOPS_BACKEND_STORE_URL",
            "",
            help="Database of the tracking servers; {customer} becomes the customer's namespace.",
        ),
        artifact_store_url=environment.text(
            "FLOPS_ARTIFACT_STORE_URL", "", help="Artifact store; {customer} likewise."
        ),
        allowed_hosts=environment.text(
            "FLOPS_TRACKING_ALLOWED_HOSTS", "", help="Names under which tracking servers answer."
        ),
        join_timeout_seconds=environment.whole(
            "FLOPS_JOIN_TIMEOUT_SECONDS", 120, help="How long aggregators wait for learners."
        ),
        data_server_token=environment.text(
            "FLOPS_DATA_SERVER_TOKEN",
            "",
            help="Token that the data servers ask for; learners and mock data providers get it.",
        ),
        data_server_ca=environment.text(
            "FLOPS_DATA_SERVER_CA",
            "",
            help="Certificate authority of the data servers (PEM); turns TLS on for who asks them.",
        ),
        grid_tls_secret=_grid_tls_secret(environment),
    )


def _grid_tls_secret(environment: Environment) -> str:
    is_on = environment.flag(
        "FLOPS_GRID_TLS", False, help="Whether aggregators and learners speak mutual TLS."
    )
    secret = environment.text(
        "FLOPS_GRID_TLS_SECRET",
        REQUIRED if is_on else "",
        help="Random text that the keys of all projects' grids follow from; with FLOPS_GRID_TLS.",
    )
    return secret if is_on else ""


def _registry_access(environment: Environment) -> RegistryAccess:
    return RegistryAccess(
        push_address=environment.text(
            "FLOPS_IMAGE_PUSH_REGISTRY",
            "",
            help="host:port that images are pushed to, if not the one that they are called by.",
        ),
        user=environment.text(
            "FLOPS_IMAGE_REGISTRY_USER", "", help="Account that the image-builder pushes with."
        ),
        password=environment.text("FLOPS_IMAGE_REGISTRY_PASSWORD", "", help="Its password."),
        has_tls=environment.flag(
            "FLOPS_REGISTRY_TLS", True, help="Whether that registry is spoken to by HTTPS only."
        ),
    )


def _limits(environment: Environment) -> Limits:
    defaults = Limits()
    return Limits(
        scheduling_seconds=environment.seconds(
            "FLOPS_SCHEDULING_TIMEOUT_SECONDS",
            defaults.scheduling_seconds,
            help="How long a service may wait until it runs; one that a node has gets three tries.",
        ),
        placing_seconds=environment.seconds(
            "FLOPS_PLACING_TIMEOUT_SECONDS",
            defaults.placing_seconds,
            help="How long a project may stay submitted.",
        ),
        building_seconds=environment.seconds(
            "FLOPS_BUILDING_TIMEOUT_SECONDS",
            defaults.building_seconds,
            help="How long a build may take.",
        ),
        joining_seconds=environment.seconds(
            "FLOPS_TRAINING_START_TIMEOUT_SECONDS",
            defaults.joining_seconds,
            help="What training may take beyond the time of its rounds.",
        ),
        serving_seconds=environment.seconds(
            "FLOPS_SERVING_TIMEOUT_SECONDS",
            defaults.serving_seconds,
            help="How long a trained model may take to answer.",
        ),
        providing_seconds=environment.seconds(
            "FLOPS_PROVIDING_TIMEOUT_SECONDS",
            defaults.providing_seconds,
            help="How long a mock data provider may take.",
        ),
        starting_seconds=environment.seconds(
            "FLOPS_FIRST_WORD_TIMEOUT_SECONDS",
            defaults.starting_seconds,
            help="How long an actor that runs may take to its first word.",
        ),
        heartbeat_seconds=environment.seconds(
            "FLOPS_ACTOR_HEARTBEAT_SECONDS",
            defaults.heartbeat_seconds,
            help="Time between heartbeats of actors; three missed ones make it count as silent.",
        ),
        queue_seconds=environment.seconds(
            "FLOPS_QUEUE_TIMEOUT_SECONDS",
            defaults.queue_seconds,
            help="How long a project may wait for room.",
        ),
        running_projects=environment.whole(
            "FLOPS_MAX_RUNNING_PROJECTS",
            defaults.running_projects,
            help="How many projects run at once, others wait; 0 lets in what fits the nodes.",
            maximum=100_000,
        ),
        projects_per_customer=environment.whole(
            "FLOPS_MAX_PROJECTS_PER_CUSTOMER",
            defaults.projects_per_customer,
            help="How many unfinished projects a customer may have; 0 is any number.",
            maximum=100_000,
        ),
    )


def _rhythm(environment: Environment) -> Rhythm:
    defaults = Rhythm()
    return Rhythm(
        poll_seconds=environment.seconds(
            "FLOPS_POLL_SECONDS", defaults.poll_seconds, help="Pause between looks at the outbox."
        ),
        watch_seconds=environment.seconds(
            "FLOPS_WATCH_SECONDS",
            defaults.watch_seconds,
            help="Pause between looks at the orchestrator's services.",
        ),
        lease_seconds=environment.seconds(
            "FLOPS_LEASE_SECONDS",
            defaults.lease_seconds,
            help="How long a dead worker keeps the next one waiting.",
        ),
    )
