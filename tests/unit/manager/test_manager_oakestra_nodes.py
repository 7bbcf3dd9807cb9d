"""Nodes, at roots of today and of 2024."""

import json

import requests

from support.scripted_root import Reply, Scripted

CLUSTERS = "GET /api/clusters/active"
WORKERS = "GET /api/v1/resources/"


def a_cluster(name="west", **fields):
    return {
        "candidate_name": name,
        "ip": name,
        "active_nodes": 2,
        "supported_addons": ["FLOps-learner", "FLOps-learner", "image-builder"],
        "memory": "4000",
        "vcpus": 8,
        **fields,
    }


def current(name="west"):
    return a_cluster(name, csi_drivers=[])


def test_workers_are_listed_by_their_cluster():
    worker = {"candidate_name": "w1", "ip": "192.0.2.1", "supported_addons": ["FLOps-learner"]}
    root = Scripted({CLUSTERS: Reply([current()]), WORKERS: Reply([worker])})

    (node,) = root.oakestra.nodes()

    assert (node.cluster, node.name, node.address) == ("west", "w1", "192.0.2.1")


def test_the_data_server_of_a_node_has_the_usual_port_unless_its_cluster_says_more():
    workers = [
        {"candidate_name": "w1", "ip": "192.0.2.1"},
        {"candidate_name": "w2", "ip": "192.0.2.1", "flops_data_server": "192.0.2.1:11037"},
        {"candidate_name": "w3"},
    ]
    root = Scripted({CLUSTERS: Reply([current()]), WORKERS: Reply(workers)})

    addresses = [node.data_address for node in root.oakestra.nodes()]

    assert addresses == ["192.0.2.1:11027", "192.0.2.1:11037", ""]


def test_without_an_active_cluster_there_are_no_nodes():
    assert Scripted({CLUSTERS: Reply([])}).oakestra.nodes() == ()


def test_an_older_root_places_by_addon_so_one_node_with_it_is_enough():
    root = Scripted({CLUSTERS: Reply([a_cluster()]), WORKERS: requests.ConnectionError()})

    (node,) = root.oakestra.nodes()

    assert (node.cluster, node.name) == ("west", "")
    assert node.addons == {"FLOps-learner", "image-builder"}
    assert node.memory_mb == 4000


def test_a_current_root_ignores_addons_so_every_node_must_have_it():
    root = Scripted({CLUSTERS: Reply([current()]), WORKERS: requests.ConnectionError()})

    (node,) = root.oakestra.nodes()

    assert node.addons == {"FLOps-learner"}


def test_at_a_current_root_a_silent_cluster_is_left_out_where_another_one_talks():
    worker = {"candidate_name": "w1", "supported_addons": []}
    root = Scripted(
        {
            CLUSTERS: Reply([current("east"), current("west")]),
            "GET http://east:11012/api/v1/resources/": Reply([worker]),
            "GET http://west:11012/api/v1/resources/": requests.ConnectionError(),
        }
    )

    assert [node.name for node in root.oakestra.nodes()] == ["w1"]


def test_an_answer_of_a_cluster_that_is_not_a_list_is_ignored():
    root = Scripted({CLUSTERS: Reply([a_cluster()]), WORKERS: Reply(json.loads('{"a": 1}'))})

    assert [node.name for node in root.oakestra.nodes()] == [""]
