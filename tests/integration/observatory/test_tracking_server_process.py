"""The tracking server as a process of its own environment, spoken to as MLflow's clients do."""

import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.tracking_server import IS_MISSING, PASSWORD, RunningServer, running_tracking_server
from support.waiting import until

pytestmark = IS_MISSING


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_tracking_server(tmp_path_factory.mktemp("tracking")) as running:
        yield running


def test_runs_are_stored(server):
    experiment = server.ask("/api/2.0/mlflow/experiments/create", {"name": "p1"})

    run = server.ask("/api/2.0/mlflow/runs/create", experiment)["run"]

    assert run["info"]["artifact_uri"].startswith("mlflow-artifacts:/")


def test_artifacts_go_through_the_server(server):
    path = "/api/2.0/mlflow-artifacts/artifacts/a/b.txt"

    server.ask(path, b"hello", method="PUT")

    listed = server.ask("/api/2.0/mlflow-artifacts/artifacts?path=a")
    assert [file["path"] for file in listed["files"]] == ["b.txt"]


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

    assert running.process.wait(300) == 143
