"""Every SLA that Oakestra's published client ships is accepted, with all of its values."""

import pytest

from flops_contracts.sla_documents import read_mock_sla, read_project_sla
from support.manager_api import World, by
from support.oak_client import shipped_slas

PROJECTS = {
    "projects/mnist_sklearn_small": ("classic", 2, 1, 3),
    "projects/mnist_sklearn_large": ("classic", 4, 1, 10),
    "projects/hierarchical_mnist_sklearn_small": ("hierarchical", 2, 2, 3),
    "projects/hierarchical_mnist_sklearn_large": ("hierarchical", 3, 10, 5),
    "legacy/cifar10_keras": ("classic", 3, 1, 10),
    "legacy/cifar10_pytorch": ("classic", 2, 1, 3),
}
"""Mode, learners, cycles and rounds of each."""

MOCKS = {"mocks/mnist_simple": 1, "mocks/mnist_multi": 3, "legacy/cifar10_simple": 1}
"""Partitions of each."""


@pytest.fixture(scope="module")
def slas():
    return shipped_slas()


@pytest.fixture
def world():
    return World()


@pytest.fixture
def client(world):
    return world.api().test_client()


def test_these_are_all(slas):
    assert set(slas) == {*PROJECTS, *MOCKS}


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_is_accepted_and_kept_as_it_was_sent(client, world, slas, name):
    answer = client.post("/api/flops/projects", json=slas[name], headers=by("Admin's"))

    assert answer.status_code == 200, answer.json
    (project,) = world.stored()
    assert project.sla == read_project_sla(slas[name])


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_is_as_large_as_its_file_says(slas, name):
    sla = read_project_sla(slas[name])

    training = sla.training_configuration
    meant = (training.mode, sla.learners, training.training_cycles, training.training_rounds)
    assert meant == PROJECTS[name]


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_needs_the_resources_and_data_of_its_file(slas, name):
    sla, file = read_project_sla(slas[name]), slas[name]

    assert vars(sla.resource_constraints) == file["resource_constraints"]
    assert list(sla.training_configuration.data_tags) == file["training_configuration"]["data_tags"]
    assert list(sla.post_training_steps) == file.get("post_training_steps", [])
    assert sla.ml_repo_url == file["ml_repo_url"]


@pytest.mark.parametrize("name", MOCKS)
def test_a_mock_is_accepted_and_kept_as_it_was_sent(client, world, slas, name):
    answer = client.post("/api/flops/mocks", json=slas[name], headers=by("Admin's"))

    assert answer.status_code == 200, answer.json
    (mock,) = world.stored_mocks()
    assert mock.sla == read_mock_sla(slas[name])


@pytest.mark.parametrize("name", MOCKS)
def test_a_mock_provides_what_its_file_says(slas, name):
    configuration = read_mock_sla(slas[name]).mock_data_configuration

    file = slas[name]["mock_data_configuration"]
    assert configuration.number_of_partitions == MOCKS[name]
    assert (configuration.dataset_name, configuration.data_tag) == (
        file["dataset_name"],
        file["data_tag"],
    )
