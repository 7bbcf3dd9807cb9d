"""The tracking server as a process of its own environment, spoken to as MLflow's clients do."""

import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from flops_cli.strangers import TRACKING, who_answers
from flops_manager.adapters.identities import HttpIdentities
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


@pytest.mark.parametrize("host", ["10.30.200.17:7027", "203.0.113.4:21003", "[2001:db8::7]:21003"])
def test_whatever_address_it_has_its_own_pages_may_ask_and_change(server, host):
    """MLflow's pages list and compare runs by POST, for which browsers name the page's origin."""
    own = {"Host": host, "Origin": f"http://{host}"}

    for prefix in ("api", "ajax-api"):
        path = f"/{prefix}/2.0/mlflow/runs/search"
        server.ask(path, {"experiment_ids": ["0"], "max_results": 1}, **own)
    assert "experiments" in server.ask("/api/2.0/mlflow/experiments/search?max_results=1", **own)


def test_pages_of_others_may_not_change_anything(server):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        server.ask(
            "/ajax-api/2.0/mlflow/experiments/create", {"name": "x"}, Origin="http://evil.example"
        )


def test_a_manager_that_checks_a_forwarded_port_gets_its_name(server):
    assert HttpIdentities().instance_at(f"http://{server.address}:7027") == "trkx1"
    assert HttpIdentities().instance_at(f"http://{server.address}:5080") == ""
    assert HttpIdentities().instance_at(f"http://{server.address}:1") == ""


def test_the_stores_password_is_in_no_argument_and_no_log(server):
    arguments = Path(f"/proc/{server.process.pid}/cmdline").read_text()

    assert PASSWORD not in arguments
    assert PASSWORD not in server.log.read_text()


def test_it_ends_quickly_and_leaves_nothing(tmp_path):
    running = RunningServer(tmp_path)
    until(running.is_ready, timeout_seconds=90, what="the tracking server is ready")

    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(300) == 143


def test_the_command_line_recognises_it_where_a_manager_was_expected(server):
    assert who_answers(f"http://{server.address}:7027") == TRACKING
