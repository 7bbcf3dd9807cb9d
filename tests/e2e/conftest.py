"""One suite for all end-to-end tests, and projects that two files look at."""

import json

import pytest

from support.e2e_suite import shared_world
from support.suite import REPOSITORIES, a_project_sla, a_repository

STEPS = ["build_image_for_trained_model", "deploy_trained_model_image"]

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
def world():
    """Return the suite that all end-to-end tests share."""
    with shared_world() as world:
        yield world


@pytest.fixture(scope="session")
def served_project(world, tmp_path_factory):
    """Return a project in classic mode that trained three rounds and serves its model."""
    repository = a_repository(tmp_path_factory.mktemp("repositories") / "mnist")
    project_id = world.client.submit_project(a_project_sla(repository, post_training_steps=STEPS))
    return world.finished(project_id)


@pytest.fixture(scope="session")
def manuals_project(world, tmp_path_factory):
    """Return a project of the manuals' small hierarchical SLA, with the pins of their repository.

    It trains in two clusters, on all learner nodes.
    """
    folder = tmp_path_factory.mktemp("public") / "mnist-sklearn"
    url = a_repository(folder, sample=REPOSITORIES / "public-pins")
    sla = {**json.loads(SMALL), "ml_repo_url": url}
    return world.finished(world.client.submit_project(sla))
