"""FLOps' tracking server as a process of its own environment, on SQLite."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.loopback import free_network
from support.waiting import until

REPOSITORY = Path(__file__).parents[2]
HOME = Path(os.environ.get("FLOPS_HOME", REPOSITORY / ".flops"))
PYTHON = HOME / "envs" / "tracking-server" / "bin" / "python"
PASSWORD = "not-to-be-seen"
IS_MISSING = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"no environment of the tracking server at {PYTHON}: `make install`"
)


class RunningServer:
    def __init__(self, folder):
        self.address = f"{free_network()}.0.1"
        self.log = folder / "log"
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "FLOPS_BACKEND_STORE_URL": f"sqlite:///{folder}/mlflow.db?x={PASSWORD}",
            "FLOPS_ARTIFACT_STORE_URL": str(folder / "artifacts"),
            "FLOPS_BIND_ADDRESS": self.address,
            "FLOPS_INSTANCE": "trkx1",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", "flops_tracking_server"], env=variables, stdout=log, stderr=log
            )

    def ask(self, path, document=None, method=None, port=7027, **headers):
        data = document if isinstance(document, bytes | None) else json.dumps(document).encode()
        request = urllib.request.Request(
            f"http://{self.address}:{port}{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json", **headers},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - see above
            return json.loads(answer.read() or b"{}")

    def is_ready(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("/readyz", port=5080)
        except urllib.error.URLError:
            return False


@contextmanager
def running_tracking_server(folder):
    """A server that is ready; killed at the end of the context."""
    running = RunningServer(folder)
    try:
        until(running.is_ready, timeout_seconds=90, what="the tracking server is ready")
        yield running
    finally:
        running.process.kill()
        running.process.wait(300)
