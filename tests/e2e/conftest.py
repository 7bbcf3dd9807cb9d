"""One suite for all end-to-end tests: starting it is the expensive part."""

import json

import pytest

from support.suite import REPOSITORIES, a_repository, running_world

ROOM = {"vcpus": 16, "memory_mb": 16_384}
TOPOLOGY = [
    {"cluster": "east", "nodes": [{"name": "east-1", **ROOM}, {"name": "east-2", **ROOM}]},
    {"cluster": "west", "nodes": [{"name": "west-1", **ROOM}, {"name": "west-2", **ROOM}]},
    # Without learner nodes, and so without data.
    {"cluster": "north", "nodes": [{"name": "north-1", **ROOM, "addons": ["image-builder"]}]},
]


# As the manuals and the published client have it, but for where the repository and the data are.
SMALL = """
{
    "verbose": true,
    "customerID": "Admin",
    "ml_repo_url": "https://git.example/flops_ml_repo_mnist_sklearn",
    "ml_model_flavor": "sklearn",
    "use_devel_base_images": false,
    "supported_platforms": ["linux/amd64"],
    "training_configuration": {
        "mode": "hierarchical",
        "data_tags": ["mnist-spread"],
        "training_cycles": 2,
        "training_rounds": 3,
        "min_available_clients": 2,
        "min_fit_clients": 2,
        "min_evaluate_clients": 2
    },
    "post_training_steps": ["build_image_for_trained_model", "deploy_trained_model_image"],
    "resource_constraints": {"memory": 100, "vcpus": 1, "storage": 0}
}
"""


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Return a suite with three fragments on its first node, and others on all learner nodes."""
    with running_world(tmp_path_factory.mktemp("suite"), TOPOLOGY) as world:
        world.provide("mnist", partitions=3)
        world.provide("mnist-held-out", split="test")
        world.provide("mnist-spread", partitions=4, nodes=4)
        yield world


@pytest.fixture(scope="session")
def manuals_project(world, tmp_path_factory):
    """Return a project of the manuals' small hierarchical SLA, with the pins of their repository.

    It trains in two clusters, on all learner nodes.
    """
    folder = tmp_path_factory.mktemp("public") / "mnist-sklearn"
    url = a_repository(folder, sample=REPOSITORIES / "public-pins")
    sla = {**json.loads(SMALL), "ml_repo_url": url}
    return world.finished(world.client.submit_project(sla))
