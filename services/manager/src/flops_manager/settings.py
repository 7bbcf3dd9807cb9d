"""The manager's settings, read from the environment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlsplit

from flops_contracts.declared import about, declared
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.deployments import Installation
from flops_manager.domain.nodes import PlacementMode
from flops_manager.usecases.kept_logs import LogLimits
from flops_manager.usecases.rhythm import Rhythm
from flops_runtime.environment import read
from flops_runtime.settings import MqttSettings, ProcessSettings
from flops_runtime.tracing import TraceSettings

API_PORT = 5072
HOOK_PORT = 5075


@dataclass(frozen=True)
class HookSettings:
    """Where webhooks are registered, and where the root and this process meet for them."""

    hooks_url: str = field(
        metadata=about(
            "The root's resource abstractor, for webhooks: http://host:11011. Without it, "
            "services are only polled.",
            "FLOPS_OAKESTRA_HOOKS_URL",
        )
    )
    own_url: str = field(
        metadata=about(
            "Where the root reaches the worker, for webhooks: http://host:5075; required with "
            "FLOPS_OAKESTRA_HOOKS_URL.",
            "FLOPS_HOOK_URL",
        )
    )
    port: int = declared(
        HOOK_PORT, "Port that the worker receives webhooks on.", "FLOPS_HOOK_PORT", maximum=65535
    )


@dataclass(frozen=True)
class StoreAccounts:
    """Passwords that may stand apart from the URLs of their stores, because files hold them."""

    mongo_password: str = declared(
        "",
        "Password of the user in FLOPS_MONGO_URL, if it is not there.",
        "FLOPS_MONGO_PASSWORD",
        secret=True,
    )
    backend_store_password: str = declared(
        "",
        "Password of the user in FLOPS_BACKEND_STORE_URL, if it is not there.",
        "FLOPS_BACKEND_STORE_PASSWORD",
        secret=True,
    )
    artifact_store_user: str = declared(
        "",
        "Access key of FLOPS_ARTIFACT_STORE_URL, if it is not there.",
        "FLOPS_ARTIFACT_STORE_USER",
        secret=True,
    )
    artifact_store_password: str = declared(
        "", "Its secret key.", "FLOPS_ARTIFACT_STORE_PASSWORD", secret=True
    )


@dataclass(frozen=True)
class Settings:
    """The settings of both processes, ``api`` and ``worker``."""

    process: ProcessSettings
    mqtt: MqttSettings
    installation: Installation
    traces: TraceSettings
    limits: Limits
    rhythm: Rhythm
    log_limits: LogLimits
    hooks: HookSettings | None
    stores: StoreAccounts
    oakestra_url: str = field(
        metadata=about("System manager of the root: http://host:10000.", "FLOPS_OAKESTRA_URL")
    )
    mongo_url: str = field(
        repr=False,
        metadata=about("Database: mongodb://[user:password@]host:port[/name].", "FLOPS_MONGO_URL"),
    )
    oakestra_user: str = declared(
        "Admin", "The manager's own account at the root.", "FLOPS_OAKESTRA_USER"
    )
    oakestra_password: str = declared(
        "",
        "Password of that account. Without it the manager starts, but cannot deploy.",
        "FLOPS_OAKESTRA_PASSWORD",
        secret=True,
    )
    oakestra_organization: str = declared(
        "", "Organization of that account, if not the default.", "FLOPS_OAKESTRA_ORGANIZATION"
    )
    oakestra_key_url: str = declared(
        "",
        "Key endpoint for users' tokens: http://host:10011. Without it the root is asked.",
        "FLOPS_OAKESTRA_KEY_URL",
    )
    resource_port: int = declared(
        11012,
        "Port of the clusters' resource APIs.",
        "FLOPS_CLUSTER_RESOURCE_PORT",
        maximum=65535,
    )
    placement: PlacementMode = declared(
        PlacementMode.AUTO,
        "Who chooses nodes: the manager (direct) or the root (addons).",
        "FLOPS_PLACEMENT",
    )
    has_grid_tls: bool = declared(
        False, "Whether aggregators and learners use mutual TLS.", "FLOPS_GRID_TLS"
    )
    registry_ca_file: str = declared(
        "", "Certificate authority of the image registry.", "FLOPS_REGISTRY_CA_FILE"
    )
    image_store: str = declared(
        "", "Folder of built images where there is no registry.", "FLOPS_IMAGE_STORE"
    )
    auth: bool = declared(True, "Off only on loopback: anybody may do anything.", "FLOPS_AUTH")
    api_port: int = declared(API_PORT, "Port of the API.", "FLOPS_API_PORT", maximum=65535)
    api_processes: int = declared(
        1, "Processes that serve the API.", "FLOPS_API_PROCESSES", minimum=1, maximum=64
    )
    api_threads: int = declared(
        16,
        "Threads for requests in each; live streams have their own.",
        "FLOPS_API_THREADS",
        minimum=1,
        maximum=256,
    )
    max_streams: int = declared(
        16, "Live event streams in each process.", "FLOPS_API_MAX_STREAMS", maximum=1000
    )

    @property
    def bind_address(self) -> str:
        """The address that the API binds to."""
        return self.process.bind_address

    def problems(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.has_grid_tls and not self.installation.grid_tls_secret:
            yield "FLOPS_GRID_TLS_SECRET is missing"


def settings_from(variables: Mapping[str, str]) -> Settings:
    """Return the settings, and an installation that has the manager's own where it has none.

    URLs of stores get the accounts that stand apart from them.
    """
    settings = read(Settings, variables)
    installation, stores = settings.installation, settings.stores
    return replace(
        settings,
        mongo_url=with_account(settings.mongo_url, stores.mongo_password),
        installation=replace(
            installation,
            mqtt_url=installation.mqtt_url or settings.mqtt.url,
            mqtt_password=installation.mqtt_password or settings.mqtt.password,
            backend_store_url=with_account(
                installation.backend_store_url, stores.backend_store_password
            ),
            artifact_store_url=with_account(
                installation.artifact_store_url,
                stores.artifact_store_password,
                stores.artifact_store_user,
            ),
            otlp_endpoint=installation.otlp_endpoint or settings.traces.endpoint,
            grid_tls_secret=installation.grid_tls_secret if settings.has_grid_tls else "",
            log_level=settings.process.log_level,
            heartbeat_seconds=settings.limits.heartbeat_seconds,
            keeps_logs=settings.log_limits.days > 0,
        ),
    )


def with_account(url: str, password: str, user: str = "") -> str:
    """Return ``url`` with ``password``, and with ``user`` if it names none; its own stay."""
    parts = urlsplit(url)
    own_account, _, hosts = parts.netloc.rpartition("@")
    name, has_password, _ = own_account.partition(":")
    name = name or quote(user, safe="")
    if not password or has_password or not name:
        return url
    account = f"{name}:{quote(password, safe='')}"
    return parts._replace(netloc=f"{account}@{hosts}").geturl()
