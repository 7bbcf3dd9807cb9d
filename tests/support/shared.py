"""Things that all processes of a test run share: begun by the first user, ended with the run.

A keeper, a process of its own, holds it: ``python -m support.shared module:function folder``. The
function is a context manager that is given the folder and yields what JSON can hold.
"""

import contextlib
import fcntl
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil

_RUN: Final = "FLOPS_TESTS_RUN"
_TESTS: Final = Path(__file__).parents[1]
_STOP_SECONDS: Final = 120


def begin_run() -> None:
    """Make the folder of this run; its other processes find it in their environment."""
    os.environ[_RUN] = tempfile.mkdtemp(prefix=f"flops-tests-{os.getpid()}-")


def end_run() -> None:
    """Stop everything that is shared and remove the folder."""
    folder = Path(os.environ.pop(_RUN))
    keepers = [psutil.Process(int(file.read_text())) for file in folder.glob("*/pid")]
    for keeper in keepers:
        keeper.terminate()
    for keeper in keepers:
        keeper.wait(_STOP_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def run_folder() -> Path:
    """Return the folder that all processes of this run know."""
    return Path(os.environ[_RUN])


def shared(what: str) -> Mapping[str, Any]:
    """Return the value that ``module:function`` yields; start it if it does not run yet."""
    folder = run_folder() / what.partition(":")[2]
    folder.mkdir(exist_ok=True)
    answer = folder / "answer.json"
    with (folder / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not answer.exists():
            _start(what, folder)
    document = json.loads(answer.read_text())
    assert "error" not in document, document["error"]
    return document


def _start(what: str, folder: Path) -> None:
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "support.shared", what, str(folder)],
            cwd=_TESTS,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    pause = threading.Event()
    while not (folder / "answer.json").exists():
        if keeper.poll() is not None:
            _write(folder, {"error": (folder / "keeper.log").read_text()})
        pause.wait(0.05)
    if keeper.poll() is None:
        (folder / "pid").write_text(str(keeper.pid))


def _write(folder: Path, document: Mapping[str, Any]) -> None:
    new = folder / "answer.new"
    new.write_text(json.dumps(document))
    new.rename(folder / "answer.json")


def _keep(what: str, folder: Path) -> None:
    """Hold it until the run ends, which may be killed."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    module, _, function = what.partition(":")
    start = getattr(importlib.import_module(module), function)
    with contextlib.ExitStack() as stack:
        _write(folder, stack.enter_context(start(folder)))
        while not stopped.wait(1) and psutil.pid_exists(int(folder.parent.name.split("-")[2])):
            pass


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]))
