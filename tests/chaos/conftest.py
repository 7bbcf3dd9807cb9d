"""One suite for everything that is disturbed, and what it would be without."""

import time

import pytest

from flops_contracts.roles import Stage
from support.chaos import TRAININGS, finish
from support.suite import a_project_sla, a_repository, running_world

ROOM = {"vcpus": 16, "memory_mb": 16_384}
TOPOLOGY = [{"cluster": "east", "nodes": [{"name": "east-1", **ROOM}, {"name": "east-2", **ROOM}]}]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    with running_world(tmp_path_factory.mktemp("chaos"), TOPOLOGY) as world:
        world.provide("mnist", partitions=2, nodes=2)
        yield world


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    return a_repository(tmp_path_factory.mktemp("repository") / "mnist")


@pytest.fixture(scope="session")
def undisturbed(world, repository):
    """Return what gives an undisturbed project of a mode, and how many seconds it took."""
    finished = {}

    def undisturbed(mode):
        if mode not in finished:
            sla = a_project_sla(repository, training_configuration=TRAININGS[mode], learners=2)
            begun = time.monotonic()
            project = finish(world, world.client.submit_project(sla))
            assert project.stage is Stage.COMPLETED, project.failure
            finished[mode] = project, time.monotonic() - begun
        return finished[mode]

    return undisturbed
