"""Worlds for the tests beside this file."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from support.local_oakestra import Client, World

TOPOLOGY = [
    {
        "cluster": "east",
        "nodes": [{"name": "e1", "vcpus": 4, "memory_mb": 4000, "addons": ["FLOps-learner"]}],
    },
    {
        "cluster": "west",
        "nodes": [
            {"name": "w1", "vcpus": 2, "memory_mb": 2000},
            {"name": "w2", "vcpus": 8, "memory_mb": 8000, "addons": ["image-builder"]},
        ],
    },
]
USERS = [{"name": "ada", "password": "lovelace", "roles": ["Application_Provider"]}]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two clusters with three nodes, two users, and restarts after a second."""
    with running_world(
        tmp_path_factory.mktemp("world"),
        FLOPS_LOCAL_TOPOLOGY=json.dumps(TOPOLOGY),
        FLOPS_LOCAL_USERS=json.dumps(USERS),
        FLOPS_LOCAL_RESTART_SECONDS="1",
        FLOPS_LOCAL_GRACE_SECONDS="1",
        FLOPS_LOCAL_REPORT_SECONDS="1",
    ) as started:
        yield started


@pytest.fixture
def own_world(tmp_path) -> Iterator[World]:
    """A world that the test may end."""
    with running_world(tmp_path, FLOPS_LOCAL_GRACE_SECONDS="2") as started:
        yield started


@pytest.fixture(scope="module")
def admin(world: World) -> Client:
    """Admin, logged in once: hashing a password is slow on purpose."""
    return Client(world)


@pytest.fixture(scope="module")
def ada(world: World) -> Client:
    """A user without the role Admin."""
    return Client(world, "ada", "lovelace")


@pytest.fixture
def client(admin: Client) -> Iterator[Client]:
    """Admin, whose applications are deleted after the test."""
    yield admin
    for application in json.loads(admin.request("GET", "/api/applications/").json()):
        admin.request("DELETE", f"/api/application/{application['applicationID']}")


@contextlib.contextmanager
def running_world(folder, **environment: str) -> Iterator[World]:
    world = World(folder, **environment).start()
    try:
        yield world
    finally:
        if world.process.poll() is None:
            world.end()
