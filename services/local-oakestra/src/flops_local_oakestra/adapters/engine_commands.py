"""Calls of the engine as argv lists, which never contain values of variables."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flops_local_oakestra.domain.published import PublishedPort
from flops_local_oakestra.ports.runtime import CannotStartError, Workload

PODMAN: Final = "podman"
WORLD_LABEL: Final = "flops.world"
JOB_LABEL: Final = "flops.job"
INSTANCE_LABEL: Final = "flops.instance"
LABEL_FORMAT: Final = f'{{{{index .Config.Labels "{WORLD_LABEL}"}}}}'
"""The format for ``inspect`` that prints a container's world."""
_NAME: Final = re.compile(r"[^\s=#][^\s=]*")
_REFERENCE: Final = re.compile(r"[a-zA-Z0-9][^\s\0]*")
_NOT_FOR_NAMES: Final = re.compile(r"[^a-zA-Z0-9_.-]+")


@dataclass(frozen=True)
class EngineWorld:
    """The bridge network of a world. Worlds in the same engine differ by their prefixes."""

    prefix: str

    @property
    def name(self) -> str:
        """The name of the network; also a label of containers and the prefix of their names."""
        return f"flops-{self.prefix.replace('.', '-')}"

    @property
    def subnet(self) -> str:
        """The range of all addresses."""
        return f"{self.prefix}.0.0/16"

    @property
    def dynamic_range(self) -> str:
        """The range for containers without a fixed address."""
        return f"{self.prefix}.0.0/24"

    @property
    def gateway(self) -> str:
        """The address of the machine."""
        return f"{self.prefix}.0.1"


@dataclass(frozen=True)
class ContainerOptions:
    """Options of all containers of a world."""

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    log_bytes: int = 8 << 20
    cores: int = 1
    has_limits: bool = True
    security_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitEnvironment:
    """Variables by how they are passed: as lines of a file, or inherited by name."""

    lines: tuple[str, ...]
    inherited: Mapping[str, str]


def split_environment(environment: Mapping[str, str]) -> SplitEnvironment:
    """Return how to pass the variables; raise ``CannotStartError`` if that is impossible.

    A line of an env file cannot contain a line break. Such a value is inherited, but only under a
    name that the engine's command line ignores: PATH or DOCKER_HOST would change the call.
    """
    lines: list[str] = []
    inherited: dict[str, str] = {}
    for name, value in environment.items():
        if not _NAME.fullmatch(name):
            raise CannotStartError(f"{name!r} is not a valid name of a variable")
        if not {"\n", "\r", "\0"} & set(value):
            lines.append(f"{name}={value}")
        elif name.startswith("FLOPS_") and "\0" not in value:
            inherited[name] = value
        else:
            raise CannotStartError(f"the variable {name} must not contain a line break")
    return SplitEnvironment(tuple(lines), inherited)


def check_reference(image: str) -> None:
    """Raise ``CannotStartError`` if the engine would take ``image`` for an option."""
    if not _REFERENCE.fullmatch(image):
        raise CannotStartError(f"{image!r} is not an image reference")


def container_name(world: EngineWorld, workload: Workload) -> str:
    """Derive the name, so that nothing is started twice."""
    derived = _NOT_FOR_NAMES.sub("-", f"{world.name}.{workload.name}")
    return workload.container_name or derived


def run_command(
    program: str,
    world: EngineWorld,
    workload: Workload,
    options: ContainerOptions,
    env_file: Path | None = None,
    inherited: tuple[str, ...] = (),
) -> list[str]:
    """Return the call that starts a workload and writes the id of its container."""
    entrypoint = ["--entrypoint", workload.command[0]] if workload.command else []
    return [
        *("run", "--detach", "--pull", "never", "--name", container_name(world, workload)),
        *_labels(world, workload),
        # Nodes of Oakestra run no healthchecks; each would start a program every few seconds.
        *("--no-healthcheck", "--stop-signal", "SIGTERM"),
        *_logging(program, options.log_bytes),
        *_network(world, workload),
        *(word for port in workload.ports for word in ("-p", _published(port))),
        *(w for name, path in workload.volumes.items() for w in ("-v", f"{name}:{path}")),
        *_limits(workload, options),
        *(("--device", "/dev/fuse") if workload.has_fuse else ()),
        *(word for option in options.security_options for word in ("--security-opt", option)),
        *(("--env-file", str(env_file)) if env_file else ()),
        *(word for name in inherited for word in ("--env", name)),
        *entrypoint,
        workload.image,
        *workload.command[1:],
    ]


def find_command(world: EngineWorld, workload: Workload | None = None) -> list[str]:
    """Return the call that lists the ids of a world's containers, or of a workload's."""
    labels = _labels(world, workload) if workload else _label(WORLD_LABEL, world.name)
    filters = [word for label in labels[1::2] for word in ("--filter", f"label={label}")]
    return ["ps", "--all", "--quiet", "--no-trunc", *filters]


def create_network_command(world: EngineWorld) -> list[str]:
    """Return the call that creates the world's network."""
    return [
        *("network", "create", "--driver", "bridge", *_label(WORLD_LABEL, world.name)),
        *("--subnet", world.subnet, "--ip-range", world.dynamic_range),
        *("--gateway", world.gateway, world.name),
    ]


@dataclass(frozen=True)
class FoundNetwork:
    """A network as the engine shows it; without gateways it uses the first address."""

    subnets: tuple[str, ...]
    gateways: tuple[str, ...]
    world: str


def read_network(text: str) -> FoundNetwork:
    """Return the network in the output of ``network inspect``, of docker or podman."""
    (document,) = json.loads(text)
    parts: list[dict[str, Any]] = document.get("subnets") or document["IPAM"]["Config"] or []
    labels = document.get("labels") or document.get("Labels") or {}
    return FoundNetwork(
        tuple(str(part.get("subnet") or part.get("Subnet")) for part in parts),
        tuple(filter(None, (part.get("gateway") or part.get("Gateway") for part in parts))),
        str(labels.get(WORLD_LABEL, "")),
    )


def _label(name: str, value: str) -> list[str]:
    return ["--label", f"{name}={value}"]


def _labels(world: EngineWorld, workload: Workload) -> list[str]:
    job, _, instance = workload.name.rpartition(".")
    return [
        *_label(WORLD_LABEL, world.name),
        *_label(JOB_LABEL, job),
        *_label(INSTANCE_LABEL, instance),
    ]


def _logging(program: str, log_bytes: int) -> list[str]:
    if program == PODMAN:
        return ["--log-driver", "k8s-file", "--log-opt", f"max-size={log_bytes}"]
    # Two files of half the size: when one is full, the older one goes.
    size = ["--log-opt", f"max-size={log_bytes // 2}", "--log-opt", "max-file=2"]
    return ["--log-driver", "json-file", *size]


def _network(world: EngineWorld, workload: Workload) -> list[str]:
    return ["--network", world.name, "--ip", workload.address] if workload.address else []


def _published(port: PublishedPort) -> str:
    address = f"{port.address}:" if port.address else ""
    protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
    return f"{address}{port.host}:{port.inside}{protocol}"


def _limits(workload: Workload, options: ContainerOptions) -> list[str]:
    if not options.has_limits:
        return []
    memory = ["--memory", f"{workload.memory_mb}m"] if workload.memory_mb else []
    # An engine refuses more cores than the machine has; a topology may claim more.
    vcpus = min(workload.vcpus, options.cores)
    return [*memory, *(["--cpus", str(vcpus)] if vcpus else [])]
