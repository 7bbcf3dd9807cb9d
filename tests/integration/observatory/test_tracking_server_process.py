"""The tracking server as a process of its own environment, spoken to as MLflow's clients do."""

import json
import os
import random
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.waiting import until

REPOSITORY = Path(__file__).parents[3]
HOME = Path(os.environ.get("FLOPS_HOME", REPOSITORY / ".flops"))
PYTHON = HOME / "envs" / "tracking-server" / "bin" / "python"
PASSWORD = "not-to-be-seen"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"no environment of the tracking server at {PYTHON}: `make install`"
)


class RunningServer:
    def __init__(self, folder):
        self.address = f"127.{random.randint(60, 200)}.{random.randint(1, 250)}.1"
        self.log = folder / "log"
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "FLOPS_BACKEND_STORE_URL": f"sqlite:///{folder}/mlflow.db?x={PASSWORD}",
            "FLOPS_ARTIFACT_STORE_URL": str(folder / "artifacts"),
            "FLOPS_BIND_ADDRESS": self.address,
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
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - see above
            return json.loads(answer.read() or b"{}")

    def is_ready(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("/readyz", port=5080)
        except urllib.error.URLError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = RunningServer(tmp_path_factory.mktemp("tracking"))
    until(running.is_ready, timeout_seconds=90, what="the tracking server is ready")
    yield running
    running.process.kill()
    running.process.wait(10)


def test_runs_are_stored(server):
    experiment = server.ask("/api/2.0/mlflow/experiments/create", {"name": "p1"})

    run = server.ask("/api/2.0/mlflow/runs/create", experiment)["run"]

    assert run["info"]["artifact_uri"].startswith("mlflow-artifacts:/")


def test_artifacts_go_through_the_server(server):
    path = "/api/2.0/mlflow-artifacts/artifacts/a/b.txt"

    server.ask(path, b"hello", method="PUT")

    listed = server.ask("/api/2.0/mlflow-artifacts/artifacts?path=a")
    assert [one["path"] for one in listed["files"]] == ["b.txt"]


def test_a_foreign_host_header_is_refused(server):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        server.ask("/api/2.0/mlflow/experiments/search?max_results=1", Host="evil.example")


def test_a_service_address_is_answered(server):
    path = "/api/2.0/mlflow/experiments/search?max_results=1"

    assert "experiments" in server.ask(path, Host="10.30.200.17:7027")


def test_the_stores_password_is_in_no_argument_and_no_log(server):
    arguments = Path(f"/proc/{server.process.pid}/cmdline").read_text()

    assert PASSWORD not in arguments
    assert PASSWORD not in server.log.read_text()


def test_it_ends_quickly_and_leaves_nothing(tmp_path):
    running = RunningServer(tmp_path)
    until(running.is_ready, timeout_seconds=90, what="the tracking server is ready")

    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(10) == 143
