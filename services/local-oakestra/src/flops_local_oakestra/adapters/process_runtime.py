"""Runs workloads as processes of this machine: an image is a bundle in the local image store."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil
from marshmallow import ValidationError

from flops_contracts.bundles import Bundle, read_bundle
from flops_local_oakestra.adapters.log_files import LogFiles, end_of
from flops_local_oakestra.ports.runtime import CannotStartError, Running, Usage, Workload

logger = logging.getLogger(__name__)

_SHIM: Final = Path(__file__).with_name("shim.py")
_KILLED: Final = 128 + signal.SIGKILL


class ProcessRuntime:
    """Starts each workload below its own shim; see ``shim.py`` for its promises."""

    def __init__(
        self,
        store: Path,
        logs: LogFiles,
        base_environment: Mapping[str, str],
        log_bytes: int = 8 << 20,
        image_environments: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._store = store
        self._logs = logs
        self._base_environment = base_environment
        self._log_bytes = log_bytes
        self._image_environments = image_environments or {}

    def open(self) -> None:
        """Do nothing: shims end with the process that started them, so nothing is left."""

    def close(self) -> None:
        """Do nothing."""

    def has_image(self, reference: str) -> bool:
        """Return whether the store has a bundle with this reference."""
        try:
            self._bundle(reference)
        except CannotStartError:
            return False
        return True

    def is_run_by_others(self, workload: Workload) -> bool:
        """Return False: processes have no names that others could take."""
        del workload
        return False

    def start(self, workload: Workload) -> Running:
        """Start the bundle of the workload's image."""
        bundle = self._bundle(workload.image)
        log = self._logs.fresh(workload.name)
        argv = [sys.executable, "-I", "-S", str(_SHIM), str(log), str(self._log_bytes), "--"]
        environment = {
            **self._base_environment,
            **self._image_environments.get(workload.image, {}),
            **bundle.environment,
            **workload.environment,
        }
        try:
            shim = subprocess.Popen(
                [*argv, *(workload.command or bundle.argv)],
                cwd=bundle.working_directory,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise CannotStartError(f"cannot start {workload.image}: {error}") from error
        return _ProcessRunning(shim, log, _pid_of_started(shim))

    def _bundle(self, reference: str) -> Bundle:
        try:
            bundle = read_bundle(self._store, reference)
        except (OSError, ValueError, ValidationError) as error:
            raise CannotStartError(f"image {reference} cannot be read: {error}") from error
        if bundle is None:
            raise CannotStartError(f"image {reference} is not in the image store")
        return bundle


class _ProcessRunning:
    """A shim and the processes below it."""

    def __init__(self, shim: subprocess.Popen[bytes], log: Path, pid: int) -> None:
        self._shim = shim
        self._log = log
        self._pid = pid
        self._lock = threading.Lock()
        self._measured: dict[int, psutil.Process] = {}

    def wait(self) -> int:
        """Return the exit code; that of a killed process if the shim itself was killed."""
        code = _KILLED
        for line in _lines(self._shim):
            if line.startswith("exited "):
                code = int(line.removeprefix("exited "))
        self._shim.wait()
        _close_control(self._shim)
        if self._shim.returncode != 0:
            logger.warning("the shim of process %d ended with %d", self._pid, self._shim.returncode)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
        return code

    def stop(self, grace_seconds: float) -> None:
        """Send the command to the shim, which may have ended."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            assert self._shim.stdin is not None  # noqa: S101 - it was made with a pipe
            self._shim.stdin.write(f"stop {grace_seconds}\n".encode())
            self._shim.stdin.flush()

    def tail(self, size: int) -> bytes:
        """Return the end of the log."""
        return end_of(self._log, size)

    def usage(self) -> Usage | None:
        """Return the usage of the process and its children since the last call."""
        if self._shim.returncode is not None:
            return None
        with self._lock, contextlib.suppress(psutil.Error):
            main = self._measured.get(self._pid) or psutil.Process(self._pid)
            processes = (main, *main.children(recursive=True))
            # Old objects are kept, because psutil measures since their last call.
            self._measured = {item.pid: self._measured.get(item.pid, item) for item in processes}
            return Usage(
                cpu_percent=sum(map(_cpu_percent, self._measured.values())),
                memory_percent=sum(map(_memory_percent, self._measured.values())),
            )
        return None


def _cpu_percent(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.cpu_percent())
    return 0.0


def _memory_percent(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_percent())
    return 0.0


def _close_control(shim: subprocess.Popen[bytes]) -> None:
    assert shim.stdin is not None  # noqa: S101 - it was made with a pipe
    with contextlib.suppress(OSError):
        shim.stdin.close()


def _lines(shim: subprocess.Popen[bytes]) -> list[str]:
    """Return the shim's output until its end."""
    assert shim.stdout is not None  # noqa: S101 - it was made with a pipe
    with shim.stdout:
        return [line.decode().strip() for line in shim.stdout]


def _pid_of_started(shim: subprocess.Popen[bytes]) -> int:
    """Return the id of the process that the shim started; raise ``CannotStartError``."""
    assert shim.stdout is not None  # noqa: S101 - it was made with a pipe
    word, _, rest = shim.stdout.readline().decode(errors="replace").strip().partition(" ")
    if word == "started":
        return int(rest)
    shim.stdout.close()
    _close_control(shim)
    shim.wait()
    raise CannotStartError(rest or f"the shim ended with {shim.returncode}")
