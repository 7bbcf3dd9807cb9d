"""Placement: the cluster, the node, or the status if there is none."""

from typing import Any

import pytest

from flops_local_oakestra.domain.addresses import WorldNetwork
from flops_local_oakestra.domain.placement import Demand, Free, Placed, demand_of, place
from flops_local_oakestra.domain.statuses import Status
from flops_local_oakestra.domain.topology import Node, read_topology

EAST, WEST = read_topology(
    [
        {"cluster": "east", "nodes": [{"name": "e1", "vcpus": 2, "memory_mb": 2000, "addons": []}]},
        {
            "cluster": "west",
            "nodes": [
                {"name": "w1", "vcpus": 1, "memory_mb": 1000, "addons": ["FLOps-learner"]},
                {"name": "w2", "vcpus": 4, "memory_mb": 4000, "addons": ["image-builder"]},
            ],
        },
    ],
    WorldNetwork("127.30"),
)


def all_free(node: Node) -> Free:
    return Free(node.vcpus, node.memory_mb)


def placed(**demand: Any) -> Placed | Status:
    return place(Demand(**demand), (EAST, WEST), all_free)


def test_the_first_node_with_room_is_taken():
    assert placed() == Placed(EAST, EAST.nodes[0])
    assert placed(vcpus=3) == Placed(WEST, WEST.nodes[1])
    assert placed(memory_mb=3000) == Placed(WEST, WEST.nodes[1])


def test_a_direct_target_is_used():
    assert placed(cluster="west", node="w1") == Placed(WEST, WEST.nodes[0])
    assert placed(cluster="west") == Placed(WEST, WEST.nodes[0])


def test_with_an_unknown_target_node_only_the_cluster_is_chosen():
    assert placed(cluster="west", node="w9") == Placed(WEST, None)


def test_with_a_full_target_node_only_the_cluster_is_chosen():
    assert placed(cluster="west", node="w1", vcpus=2) == Placed(WEST, None)


def test_an_unknown_cluster_is_not_active():
    assert placed(cluster="north") is Status.TARGET_CLUSTER_NOT_ACTIVE


@pytest.mark.parametrize(
    "demand", [{"vcpus": 5}, {"memory_mb": 5000}, {"cluster": "east", "vcpus": 3}]
)
def test_without_free_resources_no_cluster_has_capacity(demand: dict[str, Any]):
    assert placed(**demand) is Status.NO_ACTIVE_CLUSTER_WITH_CAPACITY


def test_an_unknown_virtualization_has_no_capacity():
    assert placed(virtualization="crosvm") is Status.NO_ACTIVE_CLUSTER_WITH_CAPACITY


def test_addons_and_clusters_narrow_the_choice():
    assert placed(addons=("FLOps-learner",)) == Placed(WEST, WEST.nodes[0])
    assert placed(clusters=("west",)) == Placed(WEST, WEST.nodes[0])
    assert placed(addons=("gpu",)) is Status.NO_QUALIFIED_WORKER_FOUND
    assert placed(clusters=("north",)) is Status.TARGET_CLUSTER_NOT_ACTIVE


CONSTRAINTS = {
    "virtualization": "docker",
    "constraints": [
        {"type": "direct", "cluster": "a", "node": "1"},
        {"type": "addons", "needs": ["image-builder"]},
        {"type": "clusters", "allowed": ["b"]},
        {"type": "direct", "cluster": "b", "node": "2"},
        {"type": "latency", "area": "munich"},
    ],
}


def test_current_roots_honour_only_the_last_direct_constraint():
    assert demand_of(CONSTRAINTS, honours_all=False) == Demand(cluster="b", node="2")


def test_older_roots_honour_addons_and_clusters():
    assert demand_of(CONSTRAINTS, honours_all=True) == Demand(
        cluster="b", node="2", clusters=("b",), addons=("image-builder",)
    )


def test_the_demand_is_read_from_the_service():
    document = {"virtualization": "docker", "vcpus": 2, "memory": 300}

    assert demand_of(document, honours_all=False) == Demand(vcpus=2, memory_mb=300)
