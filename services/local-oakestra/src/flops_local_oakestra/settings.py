"""What local-oakestra is told from outside."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from flops_contracts.version import VERSION
from flops_local_oakestra.domain.addresses import (
    FLIGHT_PORT,
    UnusableAddressError,
    WorldNetwork,
)
from flops_local_oakestra.domain.statuses import Scheduler
from flops_local_oakestra.domain.topology import (
    BadTopologyError,
    Cluster,
    default_topology,
    read_topology,
)
from flops_local_oakestra.domain.users import BadUsersError, Credentials, read_users
from flops_runtime.environment import BadSettingsError, Environment

PASSED: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""What every process inherits of local-oakestra's own environment; a container none of it."""

ENGINES: Final = ("docker", "podman")
_WILDCARD: Final = "0.0.0.0"  # noqa: S104 - recognized here, never a default


@dataclass(frozen=True)
class ContainerSettings:
    """What the runtime ``containers`` needs; ``engines`` are tried in their order."""

    engines: tuple[str, ...]
    publish_address: str
    public_address: str
    has_limits: bool
    security_options: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """Filled by ``from_env`` in ``__main__``."""

    network: WorldNetwork
    address: str
    port: int
    key_port: int
    resource_port: int
    hooks_port: int
    clusters: tuple[Cluster, ...]
    users: tuple[Credentials, ...] = field(repr=False)
    image_store: Path
    data_server_image: str
    state: Path
    restart_seconds: float
    grace_seconds: float
    report_seconds: float
    is_old: bool
    scheduler: Scheduler
    log_bytes: int
    log_files: int
    passed: tuple[str, ...]
    log_level: str
    log_format: str
    containers: ContainerSettings | None = None

    def resource_address(self, cluster: Cluster) -> str:
        """Return where a cluster's resource API listens: its address, or with the root on all."""
        return self.address if self.address == _WILDCARD else cluster.address

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; raises ``BadSettingsError`` that names every wrong one."""
        read = {
            **_addresses(environment),
            **_storage(environment),
            **_behaviour(environment),
            **_logging(environment),
        }
        topology = environment.document(
            "FLOPS_LOCAL_TOPOLOGY",
            None,
            help='Clusters and nodes: [{"cluster": .., "nodes": [{"name": .., "vcpus": .., '
            '"memory_mb": .., "addons": [..]}]}]. Default: this machine as one node.',
        )
        users = environment.document(
            "FLOPS_LOCAL_USERS",
            [],
            help='Further users: [{"name": .., "password": .., "roles": [..]}].',
        )
        world = _world(environment)
        passed = environment.items(
            "FLOPS_LOCAL_PASS_ENVIRONMENT", (), help="Further variables that instances inherit."
        )
        environment.check()
        read["scheduler"] = Scheduler(read["scheduler"])
        network = _network(world, read["address"])
        read["address"] = read["address"] or network.root
        read["passed"] = (() if network.is_bridge else PASSED) + passed
        containers = _containers(world, network) if network.is_bridge else None
        try:
            read["users"] = read_users(users)
            read["clusters"] = read_topology(topology or _this_machine(), network)
        except BadUsersError as error:
            raise BadSettingsError(f"FLOPS_LOCAL_USERS: {error}") from error
        except BadTopologyError as error:
            raise BadSettingsError(f"FLOPS_LOCAL_TOPOLOGY: {error}") from error
        except UnusableAddressError as error:
            raise BadSettingsError(f"FLOPS_LOCAL_CLUSTER_ADDRESSES: {error}") from error
        return cls(network=network, containers=containers, **read)


def _addresses(environment: Environment) -> dict[str, Any]:
    def port(name: str, default: int, help: str) -> int:
        return environment.whole(name, default, help=help, minimum=1, maximum=65535)

    return {
        "address": environment.text(
            "FLOPS_LOCAL_ADDRESS", "", help="Address of the root API. Default: <network>.0.1."
        ),
        "port": port("FLOPS_LOCAL_PORT", 10000, "Port of the root API."),
        "key_port": port("FLOPS_LOCAL_KEY_PORT", 10011, "Port of the key endpoint."),
        "hooks_port": port("FLOPS_LOCAL_HOOKS_PORT", 11011, "Port of the webhooks' API."),
        "resource_port": port("FLOPS_LOCAL_RESOURCE_PORT", 11012, "Port of the clusters' APIs."),
    }


def _storage(environment: Environment) -> dict[str, Any]:
    prefix = environment.text(
        "FLOPS_IMAGE_PREFIX", "ghcr.io/oakestra/addon-flops", help="Where FLOps' images lie."
    )
    tag = environment.text("FLOPS_IMAGE_TAG", VERSION, help="Tag of FLOps' images.")
    state = environment.path(
        "FLOPS_LOCAL_STATE", ".flops/local-oakestra", help="Folder for logs and data volumes."
    )
    store = environment.path(
        "FLOPS_IMAGE_STORE", ".flops/images", help="Folder of the local image store."
    )
    return {
        "image_store": store.absolute(),
        "state": state.absolute(),
        "data_server_image": f"{prefix}/ml-data-server:{tag}",
    }


def _behaviour(environment: Environment) -> dict[str, Any]:
    constraints = environment.text(
        "FLOPS_LOCAL_CONSTRAINTS",
        "direct",
        help="Constraint types that count: direct, as at current roots, or all (addons and "
        "clusters, too), as at roots of 2024, whose clusters list no workers.",
        choices=("direct", "all"),
    )
    return {
        "restart_seconds": environment.seconds(
            "FLOPS_LOCAL_RESTART_SECONDS", 15, help="Pause before what failed is started again."
        ),
        "grace_seconds": environment.seconds(
            "FLOPS_LOCAL_GRACE_SECONDS", 10, help="Time between SIGTERM and SIGKILL."
        ),
        "report_seconds": environment.seconds(
            "FLOPS_LOCAL_REPORT_SECONDS", 15, help="How long instances outlive a deleted service."
        ),
        "is_old": constraints == "all",
        "scheduler": environment.text(
            "FLOPS_LOCAL_SCHEDULER",
            Scheduler.WORKS,
            help="For trying out failures: a scheduler that never answers, or always refuses.",
            choices=tuple(Scheduler),
        ),
    }


def _logging(environment: Environment) -> dict[str, Any]:
    return {
        "log_bytes": environment.whole(
            "FLOPS_LOCAL_LOG_BYTES", 8 << 20, help="Bound of an instance's log.", minimum=4096
        ),
        "log_files": environment.whole(
            "FLOPS_LOCAL_LOG_FILES", 200, help="How many logs of instances are kept.", minimum=10
        ),
        "log_level": environment.text(
            "FLOPS_LOG_LEVEL",
            "INFO",
            help="Least severe level that is logged.",
            choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        ),
        "log_format": environment.text(
            "FLOPS_LOG_FORMAT",
            "auto",
            help="Plain lines, or a JSON object a line; auto is plain on a terminal only.",
            choices=("auto", "plain", "json"),
        ),
    }


def _world(environment: Environment) -> dict[str, Any]:
    """Return what says how services are run, and at which addresses."""
    return {
        "runtime": environment.text(
            "FLOPS_LOCAL_RUNTIME",
            "process",
            help="Run services as processes of this machine, or as containers.",
            choices=("process", "containers"),
        ),
        "prefix": environment.text(
            "FLOPS_LOCAL_NETWORK",
            "",
            help="First two octets of all addresses. Default: 127.30, with containers 10.30.",
        ),
        "cluster_addresses": environment.items(
            "FLOPS_LOCAL_CLUSTER_ADDRESSES",
            (),
            help="Where the clusters' resource APIs are, one each. Default: <network>.0.<10+c>; "
            "with containers this machine's address, for the only cluster.",
        ),
        "engine": environment.text(
            "FLOPS_LOCAL_ENGINE",
            "auto",
            help="Container engine; auto takes the first that answers.",
            choices=("auto", *ENGINES),
        ),
        "publish_address": environment.text(
            "FLOPS_LOCAL_PUBLISH_ADDRESS",
            "",
            help="Address of this machine at which containers publish their ports and reach their "
            "data server. Default: <network>.0.1.",
        ),
        "data_port": environment.whole(
            "FLOPS_LOCAL_DATA_PORT",
            FLIGHT_PORT,
            help="Port of this machine for the first data server in a container; the next "
            "ones are 10 apart.",
            minimum=1,
            maximum=65535,
        ),
        "has_limits": environment.flag(
            "FLOPS_LOCAL_LIMITS", True, help="Hold containers to the memory and vcpus of their SLA."
        ),
        "security_options": environment.items(
            "FLOPS_LOCAL_SECURITY_OPTIONS",
            (),
            help="The engine's --security-opt of all containers.",
        ),
    }


def _network(world: Mapping[str, Any], address: str) -> WorldNetwork:
    is_bridge = world["runtime"] == "containers"
    prefix = world["prefix"] or ("10.30" if is_bridge else "127.30")
    first = "10" if is_bridge else "127"
    match = re.fullmatch(rf"{first}\.(\d{{1,3}})", prefix)
    if not match or int(match[1]) > 255:
        raise BadSettingsError(f"FLOPS_LOCAL_NETWORK is '{prefix}', but must be like {first}.30")
    machine = world["publish_address"]
    clusters = world["cluster_addresses"]
    if is_bridge and address not in {"", _WILDCARD}:
        clusters = clusters or (address,)
    return WorldNetwork(
        prefix,
        is_bridge,
        "" if machine == _WILDCARD else machine,
        clusters,
        world["data_port"],
    )


def _containers(world: Mapping[str, Any], network: WorldNetwork) -> ContainerSettings:
    return ContainerSettings(
        engines=ENGINES if world["engine"] == "auto" else (world["engine"],),
        publish_address=world["publish_address"] or network.root,
        public_address=network.machine or network.root,
        has_limits=world["has_limits"],
        security_options=world["security_options"],
    )


def _this_machine() -> list[dict[str, Any]]:
    memory_mb = psutil.virtual_memory().total >> 20
    return default_topology(psutil.cpu_count() or 1, memory_mb)
