"""What local-oakestra is told from outside."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from flops_local_oakestra.domain.addresses import LoopbackNetwork
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
"""What every instance inherits of local-oakestra's own environment."""


@dataclass(frozen=True)
class Settings:
    """Filled by ``from_env`` in ``__main__``."""

    network: LoopbackNetwork
    address: str
    port: int
    key_port: int
    resource_port: int
    clusters: tuple[Cluster, ...]
    users: tuple[Credentials, ...] = field(repr=False)
    image_store: Path
    data_server_image: str
    state: Path
    restart_seconds: float
    grace_seconds: float
    report_seconds: float
    honours_all_constraints: bool
    log_bytes: int
    log_files: int
    passed: tuple[str, ...]
    log_level: str
    log_format: str

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
        prefix = environment.text("FLOPS_LOCAL_NETWORK", "127.30", help="First two octets.")
        environment.check()
        network = _network(prefix)
        read["address"] = read["address"] or network.root
        try:
            read["users"] = read_users(users)
            read["clusters"] = read_topology(topology or _this_machine(), network)
        except BadUsersError as error:
            raise BadSettingsError(f"FLOPS_LOCAL_USERS: {error}") from error
        except BadTopologyError as error:
            raise BadSettingsError(f"FLOPS_LOCAL_TOPOLOGY: {error}") from error
        return cls(network=network, **read)


def _addresses(environment: Environment) -> dict[str, Any]:
    def port(name: str, default: int, help: str) -> int:
        return environment.whole(name, default, help=help, minimum=1, maximum=65535)

    return {
        "address": environment.text(
            "FLOPS_LOCAL_ADDRESS", "", help="Address of the root API. Default: <network>.0.1."
        ),
        "port": port("FLOPS_LOCAL_PORT", 10000, "Port of the root API."),
        "key_port": port("FLOPS_LOCAL_KEY_PORT", 10011, "Port of the key endpoint."),
        "resource_port": port("FLOPS_LOCAL_RESOURCE_PORT", 11012, "Port of the clusters' APIs."),
    }


def _storage(environment: Environment) -> dict[str, Any]:
    prefix = environment.text(
        "FLOPS_IMAGE_PREFIX", "ghcr.io/oakestra/addon-flops", help="Where FLOps' images lie."
    )
    tag = environment.text("FLOPS_IMAGE_TAG", "latest", help="Tag of FLOps' images.")
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
        help="Constraint types that count: direct, as at current roots, or also addons, clusters.",
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
        "honours_all_constraints": constraints == "all",
        "passed": PASSED
        + environment.items(
            "FLOPS_LOCAL_PASS_ENVIRONMENT", (), help="Further variables that instances inherit."
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
            "plain",
            help="Plain lines, or a JSON object a line.",
            choices=("plain", "json"),
        ),
    }


def _network(prefix: str) -> LoopbackNetwork:
    match = re.fullmatch(r"127\.(\d{1,3})", prefix)
    if not match or int(match[1]) > 255:
        raise BadSettingsError(f"FLOPS_LOCAL_NETWORK is '{prefix}', but must be like 127.30")
    return LoopbackNetwork(prefix)


def _this_machine() -> list[dict[str, Any]]:
    memory_mb = psutil.virtual_memory().total >> 20
    return default_topology(psutil.cpu_count() or 1, memory_mb)
