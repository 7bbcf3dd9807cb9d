"""Runs workloads as containers with the command line of docker or podman."""

import contextlib
import logging
import math
import signal
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from flops_local_oakestra.adapters.container_usage import Meter
from flops_local_oakestra.adapters.engine import (
    Engine,
    EngineError,
    EngineTimeoutError,
    is_absent,
)
from flops_local_oakestra.adapters.engine_commands import (
    LABEL_FORMAT,
    ContainerOptions,
    EngineWorld,
    check_reference,
    container_name,
    create_network_command,
    find_command,
    read_network,
    run_command,
    split_environment,
)
from flops_local_oakestra.adapters.log_files import LogFiles, end_of
from flops_local_oakestra.ports.runtime import (
    CannotStartError,
    NotReadyError,
    Running,
    Usage,
    Workload,
)

logger = logging.getLogger(__name__)

PULL_SECONDS: Final = 900.0
WAIT_SECONDS: Final = 3600.0
PATIENCE_SECONDS: Final = 60.0
"""How long an engine may be unavailable before its containers count as killed."""
_KILLED: Final = 128 + signal.SIGKILL
_NO_TLS: Final = "server gave HTTP response to HTTPS client"


class ContainerRuntime:
    """Starts each workload as a container in the network of the world.

    ``engines`` are tried in their order by ``open``; the first that answers is used.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        world: EngineWorld,
        options: ContainerOptions,
        logs: LogFiles,
        memory_bytes: int,
    ) -> None:
        self._engines = engines
        self._engine = engines[0]
        self._world = world
        self._options = options
        self._logs = logs
        self._memory_bytes = memory_bytes
        self._meter = self._new_meter()
        self._owns_network = False
        self._pulling: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def open(self) -> None:
        """Choose the engine, remove containers of an earlier run, and create the network."""
        self._engine = self._answering()
        self._meter = self._new_meter()
        logger.info("containers by %s in %s", self._engine.program, self._world.name)
        try:
            self._remove(find_command(self._world))
            self._owns_network = self._has_own_network()
        except EngineError as error:
            raise NotReadyError(f"{self._engine.program}: {error}") from error

    def close(self) -> None:
        """Remove all containers of the world, and its network unless somebody else created it."""
        try:
            self._remove(find_command(self._world))
            if self._owns_network:
                self._engine.call("network", "rm", self._world.name)
        except EngineError as error:
            logger.warning("cannot remove everything in %s: %s", self._world.name, error)

    def has_image(self, reference: str) -> bool:
        """Return whether the engine has the image or can pull it."""
        try:
            self._ensure_image(reference)
        except CannotStartError as error:
            logger.warning("%s", error)
            return False
        return True

    def is_run_by_others(self, workload: Workload) -> bool:
        """Return whether a container outside of this world has the workload's name."""
        name = container_name(self._world, workload)
        try:
            world = self._engine.call("container", "inspect", "--format", LABEL_FORMAT, name)
        except EngineError:
            return False
        return world != self._world.name

    def start(self, workload: Workload) -> Running:
        """Start a container; pull the image only if it is absent, as a NodeEngine does."""
        self._ensure_image(workload.image)
        log = self._logs.fresh(workload.name)
        environment = split_environment({**self._options.environment, **workload.environment})
        try:
            self._remove(find_command(self._world, workload))
            with _env_file(environment.lines) as env_file:
                command = run_command(
                    self._engine.program,
                    self._world,
                    workload,
                    self._options,
                    env_file,
                    tuple(environment.inherited),
                )
                self._engine.call(*command, inherited=environment.inherited)
        except (EngineError, OSError) as error:
            # A container that was created but not started still occupies its address.
            with contextlib.suppress(EngineError):
                self._remove(find_command(self._world, workload))
            raise CannotStartError(f"cannot start {workload.image}: {error}") from error
        name = container_name(self._world, workload)
        return _ContainerRunning(self._engine, name, log, self._meter.usage)

    def _answering(self) -> Engine:
        problems = []
        for engine in self._engines:
            try:
                engine.call("ps", "--quiet")
            except EngineError as error:
                problems.append(f"{engine.program}: {error}")
            else:
                return engine
        raise NotReadyError(f"no container engine answers ({'; '.join(problems)})")

    def _new_meter(self) -> Meter:
        return Meter(self._engine, self._memory_bytes, time.monotonic)

    def _has_own_network(self) -> bool:
        """Create the network if it is missing; return whether it is ours to remove."""
        world = self._world
        try:
            network = read_network(self._engine.call("network", "inspect", world.name))
        except EngineError as error:
            if not is_absent(error):
                raise
            self._engine.call(*create_network_command(world))
            return True
        except (ValueError, KeyError, TypeError) as error:
            message = f"`network inspect {world.name}` printed unknown output"
            raise NotReadyError(message) from error
        gateways = {*network.gateways, world.gateway}
        if world.subnet not in network.subnets or gateways != {world.gateway}:
            raise NotReadyError(
                f"the network {world.name} exists, but not with subnet {world.subnet} and gateway "
                f"{world.gateway}; remove it"
            )
        return network.world == world.name

    def _ensure_image(self, reference: str) -> None:
        check_reference(reference)
        with self._pulling[reference]:
            try:
                self._engine.call("image", "inspect", reference)
            except EngineError:
                self._pull(reference)

    def _pull(self, reference: str) -> None:
        logger.info("pulling %s", reference)
        try:
            self._engine.call("pull", "--quiet", reference, timeout_seconds=PULL_SECONDS)
        except EngineError as error:
            is_http = _NO_TLS in str(error)
            hint = "; the engine must list this registry as insecure" if is_http else ""
            raise CannotStartError(f"image {reference} cannot be pulled: {error}{hint}") from error

    def _remove(self, find: list[str]) -> None:
        ids = self._engine.call(*find).split()
        if ids:
            self._engine.call("rm", "--force", "--volumes", *ids)


class _ContainerRunning:
    """A started container; at its end its log is written to a file and it is removed."""

    def __init__(
        self, engine: Engine, name: str, log: Path, usage: Callable[[str], Usage | None]
    ) -> None:
        self._engine = engine
        self._name = name
        self._log = log
        self._usage = usage
        self._ended = threading.Event()

    def wait(self) -> int:
        """Return the exit code; that of a killed process if it is unknown."""
        code = self._exit_code()
        with contextlib.suppress(EngineError, OSError):
            self._log.write_bytes(self._engine.output("logs", self._name))
        self._ended.set()
        with contextlib.suppress(EngineError):
            self._engine.call("rm", "--force", "--volumes", self._name)
        return code

    def stop(self, grace_seconds: float) -> None:
        """Stop the container: SIGTERM, and SIGKILL after the grace."""
        if not self._ended.is_set():
            seconds = math.ceil(grace_seconds)
            threading.Thread(target=self._stop, args=(seconds,), daemon=True).start()

    def tail(self, size: int) -> bytes:
        """Return the end of the log."""
        if self._ended.is_set():
            return end_of(self._log, size)
        with contextlib.suppress(EngineError):
            # No more lines than bytes are needed, however short they are.
            return self._engine.output("logs", "--tail", str(size), self._name)[-size:]
        return b""

    def usage(self) -> Usage | None:
        """Return the container's last sample."""
        return None if self._ended.is_set() else self._usage(self._name)

    def _stop(self, seconds: int) -> None:
        try:
            self._engine.call("stop", "-t", str(seconds), self._name, timeout_seconds=seconds + 60)
        except EngineError as error:
            if not is_absent(error):
                logger.warning("cannot stop %s: %s", self._name, error)

    def _exit_code(self) -> int:
        """Wait for the exit code, also over restarts of the engine."""
        pause = threading.Event()
        failing_since: float | None = None
        while True:
            asked_at = time.monotonic()
            try:
                return int(self._engine.call("wait", self._name, timeout_seconds=WAIT_SECONDS))
            except EngineTimeoutError:
                failing_since = None
            except (EngineError, ValueError) as error:
                if isinstance(error, EngineError) and is_absent(error):
                    logger.warning("somebody removed %s", self._name)
                    return _KILLED
                if failing_since is None or asked_at - failing_since > 2 * PATIENCE_SECONDS:
                    failing_since = time.monotonic()
                elif time.monotonic() - failing_since > PATIENCE_SECONDS:
                    logger.warning("the exit code of %s is unknown: %s", self._name, error)
                    return _KILLED
                pause.wait(1.0)


@contextlib.contextmanager
def _env_file(lines: Sequence[str]) -> Iterator[Path | None]:
    """Yield a file that only this user can read, for as long as the engine needs it."""
    if not lines:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", prefix="flops-env-", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        yield Path(file.name)
