"""Actors as processes that need not import everything again.

Importing MLflow, Flower and scikit-learn takes an actor seconds. A process that has done so and has
no threads, forks one that runs ``python -m MODULE`` from there on. What a new interpreter does
before that is seen where tests use ``subprocess``.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

_TESTS: Final = Path(__file__).parents[1]
_PREPARED: Final = (
    *("flops_aggregator.bootstrap", "flops_learner.bootstrap", "mlflow.sklearn"),
    *("sklearn.linear_model", "sklearn.metrics", "pandas"),
    *("flops_mock_data_provider.providing", "flwr_datasets.partitioner", "PIL.Image"),
    *("flops_simulator.simulation", "datasets"),
)


class Fork:
    """A forked process, with those methods of ``subprocess.Popen`` that tests use."""

    def __init__(self, answers: socket.socket) -> None:
        self._answers = answers.makefile("r")
        self._socket = answers
        self._code: int | None = None
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise ``subprocess.TimeoutExpired`` if it takes longer."""
        if self._code is None:
            if not select.select([self._socket], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._code = int(self._answers.readline())
            self._answers.close()
            self._socket.close()
        return self._code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    log: IO[bytes],
    output: IO[bytes] | None = None,
) -> Fork:
    """Run ``python -m`` with ``arguments`` as a process in ``folder``, with this environment only.

    It prints to ``output``, and to ``log`` where that is missing.
    """
    mine, its = socket.socketpair()
    with its:
        order = {"argv": arguments, "environment": dict(environment), "folder": str(folder)}
        files = [log.fileno(), (output or log).fileno(), its.fileno()]
        socket.send_fds(_server(), [json.dumps(order).encode()], files)
    return Fork(mine)


@cache
def _server() -> socket.socket:
    mine, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        # Read when numerical libraries are loaded, and so before the fork.
        "OMP_NUM_THREADS": "1",
    }
    with its:
        subprocess.Popen(
            [sys.executable, "-m", "support.forks", str(its.fileno())],
            cwd=_TESTS,
            env=environment,
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
        )
    return mine


def _serve(orders: socket.socket) -> None:
    """Fork a process for each order until nobody can send one; return in the forked ones only."""
    running: dict[int, socket.socket] = {}
    awake, wake = os.pipe()
    for end in (awake, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([orders, awake], [], [])
        if awake in ready:
            os.read(awake, 1000)
            _report_ended(running)
        if orders in ready:
            data, fds, _, _ = socket.recv_fds(orders, 1_000_000, 3)
            if not data:
                sys.exit()
            log, output, answers = fds
            pid = os.fork()
            if not pid:
                for other in (orders, *running.values()):
                    other.detach()
                _become(json.loads(data), log, output)
                return
            os.close(log)
            os.close(output)
            running[pid] = socket.socket(fileno=answers)
            running[pid].sendall(f"{pid}\n".encode())


def _report_ended(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as answers, contextlib.suppress(OSError):  # a test that has ended
            answers.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(order: Mapping[str, Any], log: int, output: int) -> None:
    """Be as a new interpreter would be."""
    import numpy as np  # noqa: PLC0415 - only the server and what it forks have it

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(log, 2)
    os.closerange(3, 256)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [order["folder"], *filter(None, paths)]
    sys.argv[:] = order["argv"]
    np.random.seed()  # noqa: NPY002 - the one that models draw from
    gc.unfreeze()
    runpy.run_module(order["argv"][0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # As these modules set them for their own processes.
    os.environ.update(importlib.import_module("flops_aggregator.__main__").QUIET)
    os.environ.update(importlib.import_module("flops_mock_data_provider.__main__").LIBRARY_SETTINGS)
    del sys.modules["flops_aggregator.__main__"], sys.modules["flops_mock_data_provider.__main__"]
    for name in _PREPARED:
        importlib.import_module(name)
    sys.path.remove(str(_TESTS))
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        _serve(orders)
