"""The topology in the settings."""

from typing import Any

import pytest

from flops_local_oakestra.domain.addresses import WorldNetwork
from flops_local_oakestra.domain.topology import (
    ADDONS,
    BadTopologyError,
    default_topology,
    read_topology,
)

NETWORK = WorldNetwork("127.30")
NODE = {"name": "n", "vcpus": 1, "memory_mb": 1}


def test_nodes_are_numbered_over_all_clusters():
    east, west = read_topology(
        [
            {"cluster": "east", "nodes": [NODE, {**NODE, "name": "m"}]},
            {"cluster": "west", "nodes": [NODE]},
        ],
        NETWORK,
    )

    assert [node.address for node in east.nodes] == ["127.30.1.1", "127.30.1.2"]
    assert [node.address for node in west.nodes] == ["127.30.1.3"]
    assert (east.address, west.address) == ("127.30.0.11", "127.30.0.12")


def test_ids_look_like_the_roots_and_stay_the_same():
    topology = default_topology(2, 4096)

    assert read_topology(topology, NETWORK) == read_topology(topology, NETWORK)
    assert len(read_topology(topology, NETWORK)[0].id) == 24


def test_by_default_the_machine_is_a_single_node_with_both_addons():
    ((node,),) = (cluster.nodes for cluster in read_topology(default_topology(2, 4096), NETWORK))

    assert (node.name, node.vcpus, node.memory_mb, node.addons) == ("node-1", 2, 4096, ADDONS)


@pytest.mark.parametrize(
    ("topology", "problem"),
    [
        ({}, "the topology must be a list"),
        ([], "the topology must be a list"),
        ([{"nodes": [NODE]}], "`cluster` of cluster 1"),
        ([{"cluster": "a", "nodes": []}], "`nodes` of cluster 1"),
        ([{"cluster": "a", "nodes": ["n"]}], "node 1 is not an object"),
        ([{"cluster": "a", "nodes": [{**NODE, "vcpus": "2"}]}], "`vcpus` of node 1"),
        ([{"cluster": "a", "nodes": [{**NODE, "memory_mb": -1}]}], "`memory_mb` of node 1"),
        ([{"cluster": "a", "nodes": [{**NODE, "name": "../x"}]}], "`name` of node 1"),
        ([{"cluster": "a", "nodes": [{**NODE, "addons": "x"}]}], "`addons` of node 1"),
        ([{"cluster": "a", "nodes": [NODE, NODE]}], "same name"),
        ([{"cluster": "a", "nodes": [NODE]}] * 2, "two clusters"),
    ],
)
def test_a_wrong_topology_names_the_place(topology: Any, problem: str):
    with pytest.raises(BadTopologyError, match=problem):
        read_topology(topology, NETWORK)
