"""A trained model becomes an image, and the image answers: real MLflow, real broker, real HTTP."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib import metadata

import mlflow.sklearn
import numpy as np
import pytest
import requests
from sklearn.linear_model import LogisticRegression

from flops_contracts.bundles import read_bundle
from flops_contracts.envelope import decode
from flops_contracts.events import Kind
from flops_contracts.exit_codes import ExitCode
from flops_contracts.topics import ALL_EVENTS
from flops_image_builder.domain.errors import ModelUnusableError, TrackingUnreachableError
from flops_manager.adapters.identities import HttpIdentities
from flops_runtime.environment import read
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings
from support.broker import free_port, running_broker
from support.builds import a_repository
from support.waiting import until

# As the sample pins them: so far the same environment as that of other tests.
PINS = tuple(f"{name}=={metadata.version(name)}" for name in ("numpy", "scikit-learn", "scipy"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model as an aggregator logs it: it predicts whether the first number is the larger one."""
    rows = np.random.default_rng(1).random((200, 2))
    classifier = LogisticRegression(C=100).fit(rows, rows[:, 0] > rows[:, 1])
    folder = tmp_path_factory.mktemp("trained") / "model"
    needs = [*PINS, "cloudpickle"]
    mlflow.sklearn.save_model(
        classifier, folder, pip_requirements=needs, serialization_format="cloudpickle"
    )
    return folder


@pytest.fixture(scope="module")
def built(builder, model, tmp_path_factory):
    # The model was saved by the aggregator of these actors, so both have the same versions.
    pins = {"name": "mnist", "dependencies": ["python=3.11", {"pip": list(PINS)}]}
    changes = {"conda.yaml": json.dumps(pins)}
    url = a_repository(tmp_path_factory.mktemp("actors") / "mnist", changes)
    actors, _ = builder.actors(url)
    order = {
        "FLOPS_MLFLOW_URL": "http://127.0.0.1:9",
        "FLOPS_MODEL_URI": model.as_uri(),
        "FLOPS_RUN_ID": "0f3a",
        "FLOPS_CUSTOMER": "Admin",
        "FLOPS_ACTORS_IMAGE": actors.images.aggregator,
    }
    return builder.model(**order)[0], order


@pytest.fixture(scope="module")
def broker():
    with running_broker() as running:
        yield running


@pytest.fixture
def events(broker):
    heard = []
    settings = read(MqttSettings, broker.environment)
    connection = MqttConnection(settings, f"test-{os.getpid()}")
    connection.subscribe(ALL_EVENTS[0], lambda _topic, data: heard.append(decode(data)))
    with connection:
        yield heard


@contextmanager
def running(argv, environment, broker, folder):
    """Run a model server as a process; kill it if it does not end by itself."""
    port = free_port()
    variables = {
        "PATH": os.defpath,
        "HOME": str(folder),
        **environment,
        **broker.environment,
        "FLOPS_INSTANCE": "mdlx1",
        "FLOPS_PROJECT_ID": os.urandom(6).hex(),
        "FLOPS_STAGE": "serving",
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        "FLOPS_STATUS_PORT": "0",
        "FLOPS_MODEL_PORT": str(port),
        "FLOPS_ACKNOWLEDGE_TIMEOUT_SECONDS": "0.5",
    }
    process = subprocess.Popen(argv, env=variables, cwd=folder)
    try:
        yield process, f"http://127.0.0.1:{port}", variables["FLOPS_PROJECT_ID"]
    finally:
        process.kill()
        process.wait(300)


def kinds_of(events, project_id):
    return [event.kind for event in events if event.project_id == project_id]


def ask(url, document):
    return requests.post(f"{url}/invocations", json=document, timeout=120)


def test_the_image_is_named_after_customer_and_run(built):
    assert built[0].image == "127.30.0.1:5073/admin/trained_model:0f3a"


def test_an_image_that_is_there_is_not_built_again(builder, built):
    assert builder.model(**built[1])[0].reused


def test_the_image_serves_predictions_until_it_is_asked_to_end(
    builder, built, broker, events, tmp_path
):
    bundle = read_bundle(builder.store, built[0].image)
    with running(bundle.argv, bundle.environment, broker, tmp_path) as (process, url, project_id):
        until(lambda: Kind.MODEL_SERVING in kinds_of(events, project_id), 60, "the model is served")

        pages = [
            requests.get(f"{url}/{page}", timeout=120) for page in ("ping", "health", "version")
        ]
        assert [page.status_code for page in pages] == [200, 200, 200]
        answer = ask(url, {"inputs": [[0.9, 0.1], [0.2, 0.8]]})
        assert answer.json() == {"predictions": [True, False]}
        assert HttpIdentities().instance_at(url) == "mdlx1"

        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == ExitCode.TERMINATED


def test_a_wrong_request_is_answered(builder, built, broker, events, tmp_path):
    bundle = read_bundle(builder.store, built[0].image)
    with running(bundle.argv, bundle.environment, broker, tmp_path) as (_, url, project_id):
        until(lambda: Kind.MODEL_SERVING in kinds_of(events, project_id), 60, "the model is served")

        wrong = ask(url, {"nonsense": 1})
        assert wrong.status_code == 400
        assert "input fields" in wrong.json()["message"]
        assert "stack_trace" not in wrong.json()


def test_a_model_that_cannot_be_loaded_is_a_failure_with_its_code(broker, events, tmp_path):
    argv = [sys.executable, "-m", "flops_model_server"]
    environment = {"FLOPS_MODEL_PATH": str(tmp_path)}
    with running(argv, environment, broker, tmp_path) as (process, _, project_id):
        assert process.wait(300) == ExitCode.MODEL_UNUSABLE

        until(lambda: Kind.FAILED in kinds_of(events, project_id), what="the failure is reported")


def test_a_tracking_server_that_is_away_is_reported(builder, built):
    order = {**built[1], "FLOPS_RUN_ID": "other", "FLOPS_MODEL_URI": "models:/mnist/1"}

    with pytest.raises(TrackingUnreachableError, match=r"http://127\.0\.0\.1:9 does not answer"):
        builder.model(**order)


def test_a_download_that_is_not_a_model_is_reported(builder, built, tmp_path):
    (tmp_path / "empty").mkdir()
    order = {**built[1], "FLOPS_RUN_ID": "third", "FLOPS_MODEL_URI": (tmp_path / "empty").as_uri()}

    with pytest.raises(ModelUnusableError, match="is not an MLflow model"):
        builder.model(**order)
