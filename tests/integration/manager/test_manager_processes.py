"""The manager's two processes beside a real broker, a real store and a real local-oakestra."""

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from http import HTTPStatus

import psutil
import pytest
import requests

from flops_manager.domain.deployments import PortRange
from support.broker import PASSWORD, free_port, running_broker
from support.canned_actors import CRASHING, register, register_actors
from support.local_oakestra import IMAGES, Client, World
from support.store import running_store, store_program
from support.waiting import until

TIMEOUT = 10


class Manager:
    """The API and the worker, started as their container starts them."""

    def __init__(self, world, broker, store_url, folder):
        self.world = world
        self.folder = folder
        self.port = free_port()
        self.status_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            **broker.environment,
            "FLOPS_BIND_ADDRESS": "127.0.0.1",
            "FLOPS_API_PORT": str(self.port),
            "FLOPS_OAKESTRA_URL": world.url,
            "FLOPS_OAKESTRA_USER": "Admin",
            "FLOPS_OAKESTRA_PASSWORD": "Admin",
            "FLOPS_MONGO_URL": store_url,
            "FLOPS_IMAGE_PREFIX": IMAGES,
            "FLOPS_WATCH_SECONDS": "0.2",
            "FLOPS_LEASE_SECONDS": "1",
            "FLOPS_STATUS_PORT": str(self.status_port),
        }
        self.processes = {}
        token = Client(world).login["token"]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def start(self, name):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "flops_manager", name],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def end(self):
        for process in self.processes.values():
            process.terminate()
        return {name: process.wait(300) for name, process in self.processes.items()}

    def kill(self, name):
        self.processes[name].kill()
        self.processes.pop(name).wait(300)

    def is_ready(self, port=None):
        try:
            url = f"http://127.0.0.1:{port or self.port}/readyz"
            return requests.get(url, timeout=TIMEOUT).ok
        except requests.ConnectionError:
            return False

    def is_served_by_the_last_started(self):
        process = psutil.Process(self.processes["api"].pid)
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.port
            for connection in process.net_connections()
        )

    def call(self, method, path, **kwargs):
        answer = self.session.request(method, f"{self.url}{path}", timeout=TIMEOUT, **kwargs)
        assert answer.ok, answer.text
        return answer.json()

    def submit(self, **changes):
        sla = {
            "customerID": "Admin",
            "ml_repo_url": "https://git.example/anna/mnist.git",
            "ml_model_flavor": "sklearn",
            "training_configuration": {"data_tags": ["mnist"]},
            "post_training_steps": [
                "build_image_for_trained_model",
                "deploy_trained_model_image",
            ],
            "learners": 2,
            **changes,
        }
        return self.call("POST", "/api/flops/projects", json=sla)["project_id"]

    def until_stage(self, project_id, stage):
        def in_stage():
            project = self.call("GET", f"/api/flops/projects/{project_id}")["project"]
            return project if project["stage"] == stage else None

        return until(in_stage, 30, f"{project_id} is {stage}")


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory):
    if store_program() is None:
        pytest.skip("no embedded store here: install secantusdb, or set FLOPS_TEST_STORE")
    world = World(tmp_path_factory.mktemp("oakestra"), FLOPS_LOCAL_REPORT_SECONDS="1")
    with running_broker() as broker, running_store() as store_url:
        try:
            yield world.start(), broker, store_url
        finally:
            world.end()


@contextmanager
def running(neighbours, folder):
    world, broker, store_url = neighbours
    register_actors(world)
    manager = Manager(world, broker, store_url, folder)
    manager.start("api")
    manager.start("worker")
    try:
        until(manager.is_ready, 20, "the API is ready")
        until(lambda: manager.is_ready(manager.status_port), 20, "the worker is ready")
        yield manager
    finally:
        manager.end()


@pytest.fixture(scope="module")
def started(neighbours, tmp_path_factory):
    with running(neighbours, tmp_path_factory.mktemp("manager")) as manager:
        yield manager


@pytest.fixture
def manager(started):
    register_actors(started.world)
    return started


@pytest.fixture(scope="module")
def ended(neighbours, started, tmp_path_factory):
    """Return a manager that was asked to end when it worked, and its exit codes.

    The other one is stopped before: of two workers, one waits.
    """
    started.end()
    with running(neighbours, tmp_path_factory.mktemp("ended")) as manager:
        log = manager.folder / "worker.log"
        until(lambda: "is the active worker" in log.read_text(), what="the worker has the lease")
        return manager, manager.end()


def services(manager):
    """Return what the root knows, by the first letters of the services' names."""
    client = Client(manager.world)
    prefixes = []
    for application in client.request("GET", "/api/applications/").json() and _applications(client):
        listed = client.request("GET", f"/api/services/{application['applicationID']}")
        # The manager may have removed the application since it was listed.
        if listed.status_code != HTTPStatus.NOT_FOUND:
            prefixes += [item["microservice_name"][:3] for item in _decoded(listed)]
    return sorted(prefixes)


def _applications(client):
    return _decoded(client.request("GET", "/api/applications/"))


def _decoded(answer):
    return json.loads(answer.json())


def test_a_project_is_trained_and_served_by_processes(manager):
    project_id = manager.submit()

    project = manager.until_stage(project_id, "completed")

    assert PASSWORD not in str(project)
    assert project["rounds"]
    events = manager.call("GET", f"/api/flops/projects/{project_id}/events")["events"]
    assert "model_serving" in str(events)
    until(lambda: services(manager) == ["mdl", "obs", "trk"], what="only what stays is left")
    manager.call("DELETE", f"/api/flops/projects/{project_id}")
    until(lambda: services(manager) == ["trk"], what="the project is gone")


def test_a_builder_that_crashes_without_a_word_is_found_out(manager):
    register(manager.world, "image-builder", CRASHING)

    project_id = manager.submit()

    error = manager.until_stage(project_id, "failed")["error"]
    assert "SIGKILL" in error["reason"]
    assert "about to crash" in error["last_lines"]
    manager.call("DELETE", f"/api/flops/projects/{project_id}")
    until(lambda: "bld" not in services(manager), what="the builder is removed")


def test_a_worker_that_is_killed_is_replaced(manager):
    first = manager.submit()
    manager.kill("worker")

    manager.start("worker")

    manager.until_stage(first, "completed")
    manager.call("DELETE", f"/api/flops/projects/{first}")


def test_an_api_that_is_killed_leaves_its_port_to_the_next_though_a_request_hangs(manager):
    with socket.create_connection(("127.0.0.1", manager.port)) as slow:
        slow.sendall(b"POST /api/flops/projects HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        until(manager.is_ready)
        manager.kill("api")

        manager.start("api")

        until(manager.is_served_by_the_last_started, 20, "the next API listens")
    assert manager.call("GET", "/api/flops/projects")


def test_a_mock_is_provided_and_the_tracking_server_found(manager):
    sla = {
        "customerID": "Admin",
        "mock_data_configuration": {"dataset_name": "mnist", "data_tag": "mnist"},
    }

    mock_id = manager.call("POST", "/api/flops/mocks", json=sla)["mock_id"]

    until(
        lambda: manager.call("GET", f"/api/flops/mocks/{mock_id}")["mock"]["stage"] == "completed",
        what="the mock is provided",
    )
    tracking = manager.call("GET", "/api/flops/tracking", params={"customerID": "Admin"})
    port = int(tracking["tracking_server_url"].rpartition(":")[2])
    assert port in PortRange().numbers


def test_the_worker_says_that_it_works(manager):
    answer = requests.get(f"http://127.0.0.1:{manager.status_port}/api/status", timeout=TIMEOUT)

    assert answer.json()["state"] == "working"


def test_a_worker_that_waits_for_its_database_ends_when_it_is_told_to(tmp_path):
    environment = {
        **os.environ,
        "FLOPS_OAKESTRA_URL": "http://127.0.0.1:9",
        "FLOPS_OAKESTRA_PASSWORD": PASSWORD,
        "FLOPS_MQTT_URL": "mqtt://127.0.0.1:9",
        "FLOPS_MONGO_URL": f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=100",
        "FLOPS_STATUS_PORT": str(free_port()),
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
    }
    log_file = tmp_path / "worker.log"
    with log_file.open("ab") as log:
        command = [sys.executable, "-m", "flops_manager", "worker"]
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: "waiting for the database" in log_file.read_text(), 20, "it waits")
    finally:
        worker.terminate()

    assert worker.wait(300) == 0


# These two come last.


def test_both_processes_end_cleanly(ended):
    _, codes = ended

    assert codes == {"api": 0, "worker": 0}


def test_every_line_of_both_processes_is_json_also_gunicorns(ended):
    manager, _ = ended
    logged = [(manager.folder / f"{name}.log").read_text() for name in ("api", "worker")]

    lines = [json.loads(line) for line in "".join(logged).splitlines()]
    assert "gunicorn.error" in {line["logger"] for line in lines}
    assert {line["level"] for line in lines} <= {"INFO", "WARNING"}
