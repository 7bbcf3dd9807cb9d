"""The settings of local-oakestra."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import psutil

from flops_contracts.declared import declared
from flops_contracts.names import IMAGE_PREFIX
from flops_contracts.ports import DATA_SERVER_PORT
from flops_contracts.version import VERSION
from flops_local_oakestra.domain.addresses import UnusableAddressError, WorldNetwork
from flops_local_oakestra.domain.statuses import Scheduler
from flops_local_oakestra.domain.topology import (
    BadTopologyError,
    Cluster,
    default_topology,
    read_topology,
)
from flops_local_oakestra.domain.users import BadUsersError, Credentials, read_users
from flops_runtime.settings import LogSettings

PASSED: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""What every process inherits of local-oakestra's own environment; a container none of it."""

ENGINES: Final = ("docker", "podman")
CONTAINERS: Final = "containers"
SPARSE: Final = "sparse"
_WILDCARD: Final = "0.0.0.0"  # noqa: S104 - recognized here, never a default


def _port(default: int, help: str, env: str) -> Any:
    return declared(default, help, env, minimum=1, maximum=65535)


def _is_environment(document: Any) -> bool:
    return isinstance(document, dict) and all(isinstance(text, str) for text in document.values())


@dataclass(frozen=True)
class ContainerSettings:
    """Settings of the runtime ``containers``; ``engines`` are tried in their order."""

    engines: tuple[str, ...]
    publish_address: str
    public_address: str
    has_limits: bool
    security_options: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """How services are run, and at which addresses."""

    runtime: str = declared(
        "process",
        "Run services as processes of this machine, or as containers.",
        "FLOPS_LOCAL_RUNTIME",
        choices=("process", CONTAINERS),
    )
    prefix: str = declared(
        "",
        "First two octets of all addresses. Default: 127.30, with containers 10.30.",
        "FLOPS_LOCAL_NETWORK",
    )
    address: str = declared(
        "", "Address of the root API. Default: <network>.0.1.", "FLOPS_LOCAL_ADDRESS"
    )
    cluster_addresses: tuple[str, ...] = declared(
        (),
        "Where the clusters' resource APIs are, one each. Default: <network>.0.<10+c>; with "
        "containers this machine's address, for the only cluster.",
        "FLOPS_LOCAL_CLUSTER_ADDRESSES",
    )
    engine: str = declared(
        "auto",
        "Container engine; auto takes the first that answers.",
        "FLOPS_LOCAL_ENGINE",
        choices=("auto", *ENGINES),
    )
    publish_address: str = declared(
        "",
        "Address of this machine at which containers publish their ports and reach their data "
        "server. Default: <network>.0.1.",
        "FLOPS_LOCAL_PUBLISH_ADDRESS",
    )
    data_port: int = _port(
        DATA_SERVER_PORT,
        "Port of this machine for the first data server in a container; the next ones are 10 "
        "apart.",
        "FLOPS_LOCAL_DATA_PORT",
    )
    has_limits: bool = declared(
        True, "Limit containers to the memory and vcpus of their SLA.", "FLOPS_LOCAL_LIMITS"
    )
    security_options: tuple[str, ...] = declared(
        (), "The engine's --security-opt of all containers.", "FLOPS_LOCAL_SECURITY_OPTIONS"
    )

    @property
    def is_bridge(self) -> bool:
        """True if services are containers."""
        return self.runtime == CONTAINERS

    @cached_property
    def network(self) -> WorldNetwork:
        """The addresses; raise ``ValueError`` with what is wrong with the settings."""
        first = "10" if self.is_bridge else "127"
        prefix = self.prefix or f"{first}.30"
        match = re.fullmatch(rf"{first}\.(\d{{1,3}})", prefix)
        if not match or int(match[1]) > 255:
            raise ValueError(f"FLOPS_LOCAL_NETWORK is '{prefix}', but must be like {first}.30")
        clusters = self.cluster_addresses
        if self.is_bridge and self.address not in {"", _WILDCARD}:
            clusters = clusters or (self.address,)
        machine = "" if self.publish_address == _WILDCARD else self.publish_address
        return WorldNetwork(prefix, self.is_bridge, machine, clusters, self.data_port)


@dataclass(frozen=True)
class Settings:
    """All settings, and what follows from them."""

    world: World
    port: int = _port(10000, "Port of the root API.", "FLOPS_LOCAL_PORT")
    key_port: int = _port(10011, "Port of the key endpoint.", "FLOPS_LOCAL_KEY_PORT")
    hooks_port: int = _port(11011, "Port of the webhooks' API.", "FLOPS_LOCAL_HOOKS_PORT")
    resource_port: int = _port(11012, "Port of the clusters' APIs.", "FLOPS_LOCAL_RESOURCE_PORT")
    image_prefix: str = declared(IMAGE_PREFIX, "Where FLOps' images lie.", "FLOPS_IMAGE_PREFIX")
    image_tag: str = declared(VERSION, "Tag of FLOps' images.", "FLOPS_IMAGE_TAG")
    state: Path = declared(
        Path(".flops/local-oakestra"),
        "Folder for logs and data volumes.",
        "FLOPS_LOCAL_STATE",
    )
    image_store: Path = declared(
        Path(".flops/images"),
        "Folder of the local image store.",
        "FLOPS_IMAGE_STORE",
    )
    restart_seconds: float = declared(
        15.0, "Pause before a failed instance is started again.", "FLOPS_LOCAL_RESTART_SECONDS"
    )
    grace_seconds: float = declared(
        10.0, "Time between SIGTERM and SIGKILL.", "FLOPS_LOCAL_GRACE_SECONDS"
    )
    report_seconds: float = declared(
        15.0, "How long instances outlive a deleted service.", "FLOPS_LOCAL_REPORT_SECONDS"
    )
    constraints: str = declared(
        "direct",
        "Constraint types that count: direct, as at current roots, or all (addons and clusters, "
        "too), as at roots of 2024, whose clusters list no workers.",
        "FLOPS_LOCAL_CONSTRAINTS",
        choices=("direct", "all"),
    )
    scheduler: Scheduler = declared(
        Scheduler.WORKS,
        "For trying out failures: a scheduler that never answers, or always refuses.",
        "FLOPS_LOCAL_SCHEDULER",
    )
    reports: str = declared(
        "complete",
        "What nodes report of instances: complete, or sparse as NodeEngine does: no public "
        "address, no exit code, a detail that stays as it was at the start, and logs of the last "
        "report only.",
        "FLOPS_LOCAL_REPORTS",
        choices=("complete", SPARSE),
    )
    log_bytes: int = declared(
        8 << 20, "Largest log of an instance.", "FLOPS_LOCAL_LOG_BYTES", minimum=4096
    )
    log_files: int = declared(
        200, "How many logs of instances are kept.", "FLOPS_LOCAL_LOG_FILES", minimum=10
    )
    logging: LogSettings = field(default_factory=LogSettings)
    topology: Any = declared(
        None,
        'Clusters and nodes: [{"cluster": .., "nodes": [{"name": .., "vcpus": .., '
        '"memory_mb": .., "addons": [..]}]}]. Default: this machine as one node.',
        "FLOPS_LOCAL_TOPOLOGY",
    )
    further_users: Any = declared(
        list,
        'Further users: [{"name": .., "password": .., "roles": [..]}].',
        "FLOPS_LOCAL_USERS",
        secret=True,
    )
    further_passed: tuple[str, ...] = declared(
        (), "Further variables that instances inherit.", "FLOPS_LOCAL_PASS_ENVIRONMENT"
    )
    image_environments: Any = declared(
        dict,
        'Variables for processes of single images: {"<image>": {"<name>": "<value>"}}.',
        "FLOPS_LOCAL_IMAGE_ENVIRONMENTS",
        secret=True,
    )

    def problems(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from self._image_environment_problems()
        try:
            _ = self.users, self.clusters
        except BadUsersError as error:
            yield f"FLOPS_LOCAL_USERS: {error}"
        except BadTopologyError as error:
            yield f"FLOPS_LOCAL_TOPOLOGY: {error}"
        except UnusableAddressError as error:
            yield f"FLOPS_LOCAL_CLUSTER_ADDRESSES: {error}"
        except ValueError as error:
            yield str(error)

    def _image_environment_problems(self) -> Iterator[str]:
        name = "FLOPS_LOCAL_IMAGE_ENVIRONMENTS"
        images = self.image_environments
        if images and self.world.is_bridge:
            yield f"{name} is for processes, and services run as containers"
        if not isinstance(images, dict) or not all(map(_is_environment, images.values())):
            yield f"{name} must be an object of objects of texts"

    @property
    def is_old(self) -> bool:
        """True if it behaves like a root of 2024."""
        return self.constraints == "all"

    @property
    def is_sparse(self) -> bool:
        """True if nodes report as little as NodeEngine does."""
        return self.reports == SPARSE

    @property
    def network(self) -> WorldNetwork:
        """All addresses."""
        return self.world.network

    @property
    def address(self) -> str:
        """Where the root API listens."""
        return self.world.address or self.network.root

    @property
    def data_server_image(self) -> str:
        """The image of the nodes' data servers."""
        return f"{self.image_prefix}/ml-data-server:{self.image_tag}"

    @property
    def passed(self) -> tuple[str, ...]:
        """The variables of this process that instances inherit."""
        return (() if self.world.is_bridge else PASSED) + self.further_passed

    @cached_property
    def users(self) -> tuple[Credentials, ...]:
        """Everybody who can log in."""
        return read_users(self.further_users)

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """The clusters and their nodes."""
        return read_topology(self.topology or _this_machine(), self.network)

    @property
    def containers(self) -> ContainerSettings | None:
        """How containers are run, unless services are processes."""
        world, network = self.world, self.network
        if not world.is_bridge:
            return None
        return ContainerSettings(
            engines=ENGINES if world.engine == "auto" else (world.engine,),
            publish_address=world.publish_address or network.root,
            public_address=network.machine or network.root,
            has_limits=world.has_limits,
            security_options=world.security_options,
        )

    def resource_address(self, cluster: Cluster) -> str:
        """Return where a cluster's resource API listens: its address, or with the root on all."""
        return self.address if self.address == _WILDCARD else cluster.address


def _this_machine() -> list[dict[str, Any]]:
    memory_mb = psutil.virtual_memory().total >> 20
    return default_topology(psutil.cpu_count() or 1, memory_mb)
