"""The metrics of each service's real process are those that docs/metrics.md lists."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from support.broker import free_port, running_broker
from support.exposed import documented, exposed
from support.local_oakestra import free_network
from support.waiting import until

SECONDS = 90
"""Some import MLflow, on a machine that has other things to do."""


@pytest.fixture(scope="module")
def broker():
    with running_broker() as running:
        yield running


@contextmanager
def running(module, environment, folder, *arguments):
    """Start a service's process, and end it."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        **environment,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=variables,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(300)


def assert_exposed(process, service, port, host="127.0.0.1"):
    """Wait until all that is promised is there, and see that it is no more than that."""
    promised, url = documented()[service], f"http://{host}:{port}/metrics"

    def is_complete():
        assert process.poll() is None, f"{service} has ended, see its log"
        return promised <= exposed(url)

    until(is_complete, SECONDS, f"all metrics of {service}")
    assert exposed(url) == promised


# Each of these fails for want of something, and waits until the manager confirms that: as long as
# a process lives it tells its metrics.
ACTORS = {
    "image-builder": {
        "FLOPS_BUILD": "actors",
        "FLOPS_ML_REPO_URL": "file:///nowhere",
        "FLOPS_IMAGE_ENGINE": "bundles",
        "FLOPS_IMAGE_STORE": "store",
        "FLOPS_IMAGE_REGISTRY": "127.0.0.1:9",
        "FLOPS_ML_MODEL_FLAVOR": "sklearn",
    },
    "learner": {
        "FLOPS_AGGREGATOR_ADDRESS": "127.0.0.1:9",
        "FLOPS_GRID_TOKEN": "token",
        "FLOPS_DATA_TAGS": "mnist",
        "FLOPS_LEARNER_INDEX": "0",
        "FLOPS_NODE_LEARNERS": "1",
    },
    "aggregator": {
        "FLOPS_GRID_TOKEN": "token",
        "FLOPS_ML_MODEL_FLAVOR": "sklearn",
        "FLOPS_MLFLOW_URL": "http://127.0.0.1:9",
        "FLOPS_EXPERIMENT_NAME": "one",
        "FLOPS_MODEL_NAME": "one",
        "FLOPS_AGGREGATOR_PORT": "0",
    },
    "mock-data-provider": {
        "FLOPS_MOCK_ID": "0123456789ab",
        "FLOPS_DATASET_NAME": "mnist",
        "FLOPS_DATA_TAG": "mnist",
        "FLOPS_DATA_SERVER_ADDRESS": "127.0.0.1:9",
    },
    "model-server": {"FLOPS_MODEL_PATH": "nowhere", "FLOPS_MODEL_PORT": "0"},
    "project-observer": {"FLOPS_PAGES_PORT": "0"},
}


@pytest.mark.parametrize("service", ACTORS)
def test_of_an_actor(service, broker, tmp_path):
    port = free_port()
    environment = {
        "FLOPS_INSTANCE": "one",
        "FLOPS_PROJECT_ID": "0123456789ab",
        "FLOPS_STAGE": "training",
        "FLOPS_STATUS_PORT": str(port),
        **broker.environment,
        **ACTORS[service],
    }

    with running(f"flops_{service.replace('-', '_')}", environment, tmp_path) as started:
        assert_exposed(started, service, port)


def test_of_the_data_server(tmp_path):
    port = free_port()
    environment = {
        "FLOPS_DATA_VOLUME": str(tmp_path / "volume"),
        "FLOPS_FLIGHT_PORT": "0",
        "FLOPS_HTTP_PORT": str(port),
    }

    with running("flops_ml_data_server", environment, tmp_path) as started:
        assert_exposed(started, "ml-data-server", port)


def test_of_the_tracking_server(tmp_path):
    port = free_port()
    environment = {
        "FLOPS_BACKEND_STORE_URL": f"sqlite:///{tmp_path}/mlflow.db",
        "FLOPS_ARTIFACT_STORE_URL": str(tmp_path / "artifacts"),
        "FLOPS_TRACKING_PORT": str(free_port()),
        "FLOPS_STATUS_PORT": str(port),
    }

    with running("flops_tracking_server", environment, tmp_path) as started:
        assert_exposed(started, "tracking-server", port)


@pytest.mark.parametrize("process", ["api", "worker"])
def test_of_the_manager(process, tmp_path):
    port = free_port()
    environment = {
        "FLOPS_AUTH": "off",
        "FLOPS_API_PORT": str(port),
        "FLOPS_STATUS_PORT": str(port),
        "FLOPS_MQTT_URL": "mqtt://127.0.0.1:9",
        "FLOPS_MONGO_URL": "mongodb://127.0.0.1:9/flops?serverSelectionTimeoutMS=200",
        "FLOPS_OAKESTRA_URL": "http://127.0.0.1:9",
        "FLOPS_OAKESTRA_USER": "Admin",
        "FLOPS_OAKESTRA_PASSWORD": "Admin",
    }

    with running("flops_manager", environment, tmp_path, process) as started:
        assert_exposed(started, f"manager, {process}", port)


def test_of_local_oakestra(tmp_path):
    network = free_network()
    environment = {
        "FLOPS_LOCAL_NETWORK": network,
        "FLOPS_LOCAL_STATE": str(tmp_path / "state"),
        "FLOPS_IMAGE_STORE": str(tmp_path / "images"),
    }

    with running("flops_local_oakestra", environment, tmp_path) as started:
        assert_exposed(started, "local-oakestra", 10000, f"{network}.0.1")


def test_nothing_else_is_documented():
    others = {"ml-data-server", "tracking-server", "local-oakestra"}
    manager = {"manager, api", "manager, worker"}
    assert set(documented()) == {*ACTORS, *others, *manager}
