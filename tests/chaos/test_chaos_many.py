"""Fifty projects at once on one machine: all end, in turn, with bounded memory and connections.

Another number with ``make test-chaos PROJECTS=16``.
"""

import os
from contextlib import suppress

import psutil
import pytest

from flops_contracts.roles import Stage
from support.suite import a_project_sla, running_world
from support.waiting import until

PROJECTS = int(os.environ.get("PROJECTS") or 50)
ENDS_WITHIN_SECONDS = 1500
# Room for about four projects: the others have to wait.
ROOM = [{"cluster": "east", "nodes": [{"name": "east-1", "vcpus": 10, "memory_mb": 10_000}]}]
MANAGER_MB = 400
MANAGER_CONNECTIONS = 100


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    with running_world(tmp_path_factory.mktemp("many"), ROOM) as world:
        world.provide("mnist", partitions=1)
        yield world


class Usage:
    """The most that the processes of the management used at any look."""

    def __init__(self, world):
        measured = ("manager-api", "manager-worker", "broker", "store")
        self._processes = {
            child.name: psutil.Process(child.pid)
            for child in world.suite.children
            if child.name in measured
        }
        self.megabytes = dict.fromkeys(self._processes, 0.0)
        self.connections = dict.fromkeys(self._processes, 0)

    def look(self):
        for name, leader in self._processes.items():
            family = [leader, *leader.children(recursive=True)]
            size, connections = 0, 0
            for process in family:
                with suppress(psutil.Error):
                    size += process.memory_info().rss
                    connections += len(process.net_connections())
            self.megabytes[name] = max(self.megabytes[name], size / 1e6)
            self.connections[name] = max(self.connections[name], connections)


@pytest.mark.timeout(ENDS_WITHIN_SECONDS + 120)
def test_many_projects_at_once_all_end(small_world, repository):
    client = small_world.client
    minima = ("min_available_clients", "min_fit_clients", "min_evaluate_clients")
    training = {"training_rounds": 1, **dict.fromkeys(minima, 1)}
    sla = a_project_sla(
        repository,
        training_configuration=training,
        learners=1,
        resource_constraints={"memory": 1000, "vcpus": 1, "storage": 0},
    )
    usage = Usage(small_world)
    ids = [client.submit_project(sla, f"many-{number}") for number in range(PROJECTS)]
    positions = set()

    def are_over():
        usage.look()
        projects = [client.project(item) for item in ids]
        positions.update(
            item.document["waiting"] for item in projects if item.document.get("waiting")
        )
        return all(item.stage.is_final for item in projects)

    until(are_over, ENDS_WITHIN_SECONDS, "all of them end")

    ended = [client.project(item) for item in ids]
    assert [item.failure for item in ended if item.stage is not Stage.COMPLETED] == []
    assert any("position" in position.lower() for position in positions), (
        "waiting projects have a position"
    )
    assert usage.megabytes["manager-worker"] < MANAGER_MB
    assert usage.megabytes["manager-api"] < MANAGER_MB
    assert max(usage.connections.values()) < MANAGER_CONNECTIONS * 2
    assert usage.connections["manager-worker"] < MANAGER_CONNECTIONS
