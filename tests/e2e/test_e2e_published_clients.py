"""Oakestra's own command lines drive the running suite, unchanged and set up as users do it."""

import time

import pytest

from flops_cli.credentials import RootLogin
from flops_cli.local.suite import ADMIN
from flops_contracts.roles import MockStage
from support.oak_client import Oak
from support.oak_requests import LONGEST_WAIT_SECONDS, REQUESTS, answer_to, requests_of_clients
from support.suite import running_world
from support.waiting import until

pytestmark = pytest.mark.e2e

DIGITS = {
    "customerID": ADMIN,
    "mock_data_configuration": {
        "dataset_name": "mnist",
        "source": "builtin:mnist5k",
        "split": "test",
        "number_of_partitions": 2,
        "data_tag": "mnist-by-oak",
    },
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a suite of their own: these clients empty it."""
    with running_world(tmp_path_factory.mktemp("suite")) as world:
        yield world


@pytest.fixture(scope="module")
def oak(world, tmp_path_factory):
    client = Oak(tmp_path_factory.mktemp("home"))
    client.set_up(world.suite.network.address)
    return client


@pytest.fixture
def no_projects(world):
    """Empty the manager, before and after: what the clients ask for here shall not go on."""
    world.client.reset_database()
    yield
    world.client.reset_database()


def test_oak_starts_a_project_that_it_ships(world, oak, no_projects):
    ended = oak.flops("project", "--project-sla-file-name", "mnist_sklearn_small")

    assert "Success: 'Init new FLOps project" in ended.stdout
    assert ended.returncode == 0
    (project,) = world.client.projects()
    assert (project.owner, project.rounds) == (ADMIN, 3)
    assert project.repository.endswith("/flops_ml_repo_mnist_sklearn")


def test_oak_fails_where_the_manager_refuses(world, oak, no_projects):
    oak.write_sla("projects", "wrong", {"customerID": ADMIN, "ml_repo_uri": "x"})

    ended = oak.flops("project", "--project-sla-file-name", "wrong")

    assert ended.returncode != 0
    assert "OakCLIException" in ended.stdout
    assert world.client.projects() == ()


def test_oak_has_mock_data_provided(world, oak, no_projects):
    oak.write_sla("mocks", "digits", DIGITS)

    ended = oak.flops("mock_data", "--mock-sla-file-name", "digits")

    assert "Success: 'Init a new FLOps mock data service" in ended.stdout
    assert ended.returncode == 0
    until(lambda: world.client.mocks()[0].stage.is_final, 240, "the mock data of oak")
    (mock,) = world.client.mocks()
    assert (mock.stage, len(mock.fragments)) == (MockStage.COMPLETED, 2)


def test_oak_asks_for_the_tracking_server(world, oak):
    ended = oak.flops("tracking", "--customer-id", ADMIN)

    assert "Success: 'Get Tracking (Server) URL'" in ended.stdout
    assert ended.returncode == 0
    until(lambda: world.client.tracking().is_running, 120, "the tracking server")


def test_oak_resets_the_database(world, oak):
    world.client.submit_mock(DIGITS)

    ended = oak.flops("reset-database", "--customer-id", ADMIN)

    assert "Success: 'Reset the FLOps Database'" in ended.stdout
    assert ended.returncode == 0
    assert world.client.mocks() == ()


@pytest.mark.parametrize("name", REQUESTS)
def test_the_bytes_of_a_client_are_answered_in_its_time_and_without_redirect(
    world, no_projects, name
):
    network = world.suite.network
    tokens = RootLogin(network.oakestra_url).log_in(ADMIN, world.suite.secrets.root_password)
    request, key = requests_of_clients(f"{network.address}:5072", tokens.token)[name]

    began = time.monotonic()
    status, document = answer_to((network.address, 5072), request)

    assert (status, "message" in document, key in document) == (200, True, True)
    assert time.monotonic() - began < LONGEST_WAIT_SECONDS
