"""The deployment of each service: golden environments, names, addresses, resources."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flops_contracts.access import DataServerAccess, RegistryAccess
from flops_contracts.names import customer_namespace, project_application
from flops_contracts.roles import MockStage, Role, Stage
from flops_manager.adapters.oakestra_documents import constraints, microservice
from flops_manager.domain.deployments import service_address
from flops_manager.domain.descriptions import describe, describe_mock, describe_tracking
from flops_manager.domain.lifecycle import PROJECTS
from flops_manager.domain.placement import place_project
from flops_manager.domain.project_events import Placed
from flops_manager.domain.services import tracking_service
from flops_manager.domain.subjects import Service
from support.manager_core import (
    ACTORS_BUILT,
    INSTALLATION,
    MODEL_BUILT,
    NOW,
    TRAINED,
    a_landscape,
    a_mock,
    a_project,
    a_sla,
)

TRACKING = "10.30.130.3"
AGGREGATOR = "10.30.140.4"


def at_stage(count, **sla):
    """Return a project after ``count`` steps, with the addresses that deploying found."""
    project = a_project(sla=a_sla(**sla))
    placed = Placed(place_project(project.sla, a_landscape()))
    for event in (placed, ACTORS_BUILT, TRAINED, MODEL_BUILT)[:count]:
        project, _ = PROJECTS.transition(project, event, NOW)
    addresses = {Role.TRACKING_SERVER: TRACKING, Role.AGGREGATOR: AGGREGATOR}
    services = tuple(
        replace(service, address=addresses.get(service.role, "")) for service in project.services
    )
    return replace(project, services=services)


def described(project, role, number=0, address="", port=0):
    return describe(project, project.present(role)[number], INSTALLATION, address, port)


def common(deployment, stage, node="node-1"):
    return {
        "FLOPS_PROJECT_ID": "0123456789ab",
        "FLOPS_INSTANCE": deployment.name,
        "FLOPS_STAGE": stage,
        **({"FLOPS_CLUSTER": "local", "FLOPS_NODE": node} if node else {}),
        "FLOPS_MQTT_URL": "mqtt://flops@broker:9027",
        "FLOPS_MQTT_PASSWORD": "only-for-this-test",
        "FLOPS_LOG_LEVEL": "INFO",
        "FLOPS_HEARTBEAT_SECONDS": "10",
    }


def test_the_builder_of_actors():
    deployment = described(at_stage(1), Role.BUILDER)

    assert deployment.image == "images.test/image-builder:1"
    assert deployment.application.name == project_application("0123456789ab")
    assert deployment.environment == {
        **common(deployment, "building_actors"),
        "FLOPS_BUILD": "actors",
        "FLOPS_IMAGE_REGISTRY": "registry.test:5073",
        "FLOPS_IMAGE_PREFIX": "images.test",
        "FLOPS_IMAGE_TAG": "1",
        "FLOPS_ML_MODEL_FLAVOR": "sklearn",
        "FLOPS_SUPPORTED_PLATFORMS": "linux/amd64",
        "FLOPS_ML_REPO_URL": "https://git.example/anna/mnist-sklearn.git",
    }


@pytest.mark.parametrize(
    ("role", "expects"),
    [(Role.AGGREGATOR, ""), (Role.LEARNER, "aggregator.0123456789ab.flops")],
)
def test_with_tls_an_actor_gets_its_own_key_and_whom_to_expect(role, expects):
    project = at_stage(2)
    installation = replace(INSTALLATION, grid_tls_secret="random")

    environment = describe(project, project.present(role)[0], installation, AGGREGATOR).environment

    assert environment.get("FLOPS_GRID_TLS_NAME", "") == expects
    assert all(
        environment[f"FLOPS_GRID_TLS_{part}"].startswith("pem:")
        for part in ("CERTIFICATE", "KEY", "CA")
    )


def test_the_aggregator():
    deployment = described(at_stage(2), Role.AGGREGATOR, address=AGGREGATOR)

    assert deployment.image == "registry.test/aggregator:1"
    assert deployment.address == AGGREGATOR
    assert deployment.environment == {
        **common(deployment, "training"),
        "FLOPS_GRID_TOKEN": "token",
        "FLOPS_TRAINING_ROUNDS": "3",
        "FLOPS_LEARNERS": "2",
        "FLOPS_MIN_AVAILABLE_CLIENTS": "1",
        "FLOPS_MIN_FIT_CLIENTS": "1",
        "FLOPS_MIN_EVALUATE_CLIENTS": "1",
        "FLOPS_STRATEGY": '{"name": "FedAvg", "parameters": {}}',
        "FLOPS_ROUND_TIMEOUT_SECONDS": "3600",
        "FLOPS_JOIN_TIMEOUT_SECONDS": "120",
        "FLOPS_SETTLE_SECONDS": "10",
        "FLOPS_RETURN_TIMEOUT_SECONDS": "60",
        "FLOPS_TAKE_FIRST": "0",
        "FLOPS_CHECKPOINT_EVERY_ROUNDS": "1",
        "FLOPS_COMPRESSION": "none",
        "FLOPS_BEST_BY": "accuracy max",
        "FLOPS_MLFLOW_URL": f"http://{TRACKING}:7027",
        "FLOPS_EXPERIMENT_NAME": "mnist-sklearn-0123456789ab",
        "FLOPS_MODEL_NAME": "mnist-sklearn",
        "FLOPS_ML_MODEL_FLAVOR": "sklearn",
        "FLOPS_ML_REPO_URL": "https://git.example/anna/mnist-sklearn.git",
        "FLOPS_COMMIT": "c0ffee",
    }


def test_a_learner():
    project = at_stage(2, resource_constraints={"memory": 100, "vcpus": 1, "storage": 5})

    deployment = described(project, Role.LEARNER, 1)

    assert deployment.image == "registry.test/learner:1"
    assert (deployment.memory_mb, deployment.vcpus, deployment.storage_mb) == (100, 1, 5)
    assert deployment.environment == {
        **common(deployment, "training"),
        "FLOPS_AGGREGATOR_ADDRESS": f"{AGGREGATOR}:8080",
        "FLOPS_GRID_TOKEN": "token",
        "FLOPS_DATA_TAGS": "mnist",
        "FLOPS_LEARNER_INDEX": "1",
        "FLOPS_NODE_LEARNERS": "2",
        "FLOPS_DATA_SPLIT": "exclusive",
        "FLOPS_CUSTOMER": "anna",
    }


def test_a_builder_gets_into_the_registry():
    project = at_stage(1)
    access = RegistryAccess("registry.test:5074", "flops", "only-for-this-test", tls=False)
    installation = replace(INSTALLATION, registry_access=access)

    deployment = describe(project, project.present(Role.BUILDER)[0], installation)

    assert deployment.environment.items() >= {
        ("FLOPS_IMAGE_REGISTRY", "registry.test:5073"),
        ("FLOPS_IMAGE_PUSH_REGISTRY", "registry.test:5074"),
        ("FLOPS_IMAGE_REGISTRY_USER", "flops"),
        ("FLOPS_IMAGE_REGISTRY_PASSWORD", "only-for-this-test"),
        ("FLOPS_REGISTRY_TLS", "off"),
    }
    assert "only-for-this-test" not in repr(deployment) + repr(installation)


def test_who_reads_and_writes_data_gets_into_the_data_servers():
    project = at_stage(2)
    access = DataServerAccess("only-for-this-test", "a certificate")
    installation = replace(INSTALLATION, data_server=access)
    mock = a_mock()
    provider = Service(Role.MOCK_DATA_PROVIDER, "mdpx1", MockStage.PROVIDING)

    learner = describe(project, project.present(Role.LEARNER)[0], installation)
    provided = describe_mock(mock, provider, installation)
    aggregator = describe(project, project.present(Role.AGGREGATOR)[0], installation)

    assert learner.environment["FLOPS_DATA_SERVER_TOKEN"] == "only-for-this-test"
    assert provided.environment["FLOPS_DATA_SERVER_TOKEN"] == "only-for-this-test"
    assert "only-for-this-test" not in repr(learner) + repr(provided) + repr(installation)
    assert "FLOPS_DATA_SERVER_TOKEN" not in aggregator.environment
    for deployment in (learner, provided):
        assert deployment.environment["FLOPS_DATA_SERVER_CA"] == "a certificate"
    assert "FLOPS_DATA_SERVER_CA" not in aggregator.environment


@pytest.mark.parametrize("flavor", ["pytorch", "tensorflow", "keras"])
def test_who_imports_a_large_framework_gets_more_memory(flavor):
    small, large = at_stage(4), at_stage(4, ml_model_flavor=flavor)

    assert described(small, Role.MODEL_SERVER).memory_mb == 500
    assert described(large, Role.MODEL_SERVER).memory_mb == 800
    assert described(at_stage(2, ml_model_flavor=flavor), Role.AGGREGATOR).memory_mb == 800
    assert described(at_stage(1, ml_model_flavor=flavor), Role.BUILDER).memory_mb == 1500


def test_base_images_may_lie_elsewhere():
    project = at_stage(1)
    installation = replace(INSTALLATION, base_image_prefix="registry.test/bases")

    deployment = describe(project, project.present(Role.BUILDER)[0], installation)

    assert deployment.image == "images.test/image-builder:1"
    assert deployment.environment["FLOPS_IMAGE_PREFIX"] == "registry.test/bases"


def test_the_builder_of_a_model():
    deployment = described(at_stage(3), Role.BUILDER, 1)

    assert (
        deployment.environment.items()
        >= {
            "FLOPS_BUILD": "model",
            "FLOPS_MLFLOW_URL": f"http://{TRACKING}:7027",
            "FLOPS_MODEL_URI": "models:/m/1",
            "FLOPS_RUN_ID": "run1",
            "FLOPS_CUSTOMER": "anna",
            "FLOPS_ACTORS_IMAGE": "registry.test/aggregator:1",
        }.items()
    )


def test_the_model_server():
    deployment = described(at_stage(4), Role.MODEL_SERVER, port=21_003)

    assert deployment.image == MODEL_BUILT.image
    assert microservice(deployment)["port"] == "21003:21003"
    assert not deployment.is_one_shot
    assert deployment.application.name == "helper"
    assert deployment.environment == {
        **common(deployment, "serving", node=""),
        "FLOPS_MODEL_PORT": "21003",
    }


def test_the_observer():
    deployment = described(at_stage(0), Role.OBSERVER, port=21_004)

    assert microservice(deployment)["port"] == "21004:21004"
    assert deployment.application.name == "observatory"
    assert deployment.environment == {
        **common(deployment, "submitted", node=""),
        "FLOPS_PAGES_PORT": "21004",
    }


def test_the_tracking_server_of_a_customer():
    deployment = describe_tracking("anna", INSTALLATION, TRACKING, 21_005)

    namespace = customer_namespace("anna")
    assert microservice(deployment)["port"] == "21005:21005"
    assert deployment.address == TRACKING
    assert deployment.environment == {
        "FLOPS_BACKEND_STORE_URL": f"sqlite:///{namespace}.db",
        "FLOPS_ARTIFACT_STORE_URL": f"/artifacts/{namespace}",
        "FLOPS_INSTANCE": tracking_service("anna"),
        "FLOPS_TRACKING_PORT": "21005",
        "FLOPS_LOG_LEVEL": "INFO",
    }


def test_a_mock_data_provider():
    mock = a_mock()
    service = Service(
        Role.MOCK_DATA_PROVIDER, "mdpx1", MockStage.PROVIDING, cluster="local", node="node-1"
    )

    deployment = describe_mock(mock, service, INSTALLATION)

    expected = common(deployment, "providing")
    del expected["FLOPS_PROJECT_ID"]
    assert deployment.environment == {
        **expected,
        "FLOPS_MOCK_ID": mock.id,
        "FLOPS_DATASET_NAME": "mnist",
        "FLOPS_NODES": "1",
        "FLOPS_NODE_INDEX": "0",
        "FLOPS_NUMBER_OF_PARTITIONS": "3",
        "FLOPS_DATA_TAG": "mnist",
        "FLOPS_SPLIT": "train",
        "FLOPS_PARTITIONER": '{"name": "IidPartitioner", "parameters": {}}',
        "FLOPS_SEED": "42",
        "FLOPS_SOURCE": "builtin:mnist5k",
    }


def test_actors_get_the_trace_of_their_project_and_its_destination():
    installation = replace(INSTALLATION, otlp_endpoint="http://collector:4318")
    project = replace(at_stage(1), trace="00-1-2-01")

    deployment = describe(project, project.present(Role.BUILDER)[0], installation)

    assert deployment.environment["FLOPS_TRACEPARENT"] == "00-1-2-01"
    assert deployment.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"


def test_a_verbose_project_logs_more():
    deployment = described(at_stage(1, verbose=True), Role.BUILDER)

    assert deployment.environment["FLOPS_LOG_LEVEL"] == "DEBUG"


def test_secrets_are_not_shown_in_a_log():
    deployment = described(at_stage(2), Role.LEARNER)

    assert "only-for-this-test" not in repr(deployment) + repr(INSTALLATION)
    assert "'token'" not in repr(at_stage(2))


@given(key=st.text(max_size=20), attempt=st.integers(0, 20))
def test_service_addresses_lie_in_the_upper_range_and_avoid_odd_octets(key, attempt):
    first, second, third, fourth = map(int, service_address(key, attempt).split("."))

    assert (first, second) == (10, 30)
    assert 128 <= third <= 253
    assert 1 <= fourth <= 253


def test_another_attempt_finds_another_address():
    assert len({service_address("aggx1", attempt) for attempt in range(8)}) > 6


def test_every_service_name_is_one_that_oakestra_takes():
    project = at_stage(4)

    for service in project.services:
        assert service.instance.isalnum()
        assert len(service.instance) <= 30


def test_a_chosen_node_is_asked_for_directly():
    deployment = described(at_stage(2), Role.LEARNER)

    assert constraints(deployment) == [{"type": "direct", "cluster": "local", "node": "node-1"}]


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ("", [{"type": "addons", "needs": ["FLOps-learner"]}]),
        (
            "west",
            [
                {"type": "addons", "needs": ["FLOps-learner"]},
                {"type": "clusters", "allowed": ["west"]},
            ],
        ),
    ],
)
def test_without_a_node_the_addon_is_asked_for(cluster, expected):
    deployment = replace(described(at_stage(2), Role.LEARNER), node="", cluster=cluster)

    assert constraints(deployment) == expected


def test_a_microservice_holds_nothing_that_the_root_refuses():
    document = microservice(described(at_stage(2), Role.AGGREGATOR, address=AGGREGATOR))

    assert document["addresses"] == {"rr_ip": AGGREGATOR}
    assert document["one_shot"] is True
    assert "port" not in document
    assert json.loads(json.dumps(document)) == document
    assert f"FLOPS_STAGE={Stage.TRAINING}" in document["environment"]
