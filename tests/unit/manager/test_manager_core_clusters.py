"""The clusters that take part in a hierarchical training, and the places of their services."""

import pytest

from flops_contracts.roles import Role
from flops_manager.domain.errors import NotPlaceableError
from flops_manager.domain.nodes import Landscape, PlacementMode
from flops_manager.domain.placement import left_out, place_project
from support.manager_core import a_hierarchical_sla, a_landscape, a_node, a_sla, two_clusters


def of(placements, role):
    return [placement for placement in placements if placement.role is role]


def test_each_cluster_with_data_gets_an_aggregator_and_all_its_learners():
    placements = place_project(a_hierarchical_sla(), two_clusters())

    assert len(of(placements, Role.AGGREGATOR)) == 1
    aggregators = of(placements, Role.CLUSTER_AGGREGATOR)
    assert [(aggregator.cluster, aggregator.index) for aggregator in aggregators] == [
        ("east", 0),
        ("west", 1),
    ]
    learners = of(placements, Role.LEARNER)
    assert [(learner.cluster, learner.node, learner.index) for learner in learners] == [
        ("east", "node-1", 0),
        ("east", "node-2", 1),
        ("west", "node-3", 2),
        ("west", "node-4", 3),
    ]


def test_a_clusters_aggregator_is_in_its_own_cluster():
    for item in of(place_project(a_hierarchical_sla(), two_clusters()), Role.CLUSTER_AGGREGATOR):
        assert (
            item.node in {"east": {"node-1", "node-2"}, "west": {"node-3", "node-4"}}[item.cluster]
        )


def test_a_cluster_without_the_data_is_left_out_and_not_waited_for():
    landscape = two_clusters({"node-1": {"mnist": 9}, "node-3": {"cifar": 9}, "node-4": {}})

    placements = place_project(a_hierarchical_sla(), landscape)

    assert {item.cluster for item in of(placements, Role.LEARNER)} == {"east"}
    assert [item.cluster for item in of(placements, Role.CLUSTER_AGGREGATOR)] == ["east"]
    (notice,) = left_out(a_hierarchical_sla(), landscape)
    assert notice.startswith("The cluster west is left out. No data are tagged 'mnist'.")


def test_a_cluster_whose_data_servers_are_silent_is_left_out_while_others_answer():
    landscape = two_clusters({"node-1": {"mnist": 9}})

    (notice,) = left_out(a_hierarchical_sla(), landscape)

    assert notice == "The cluster west is left out. None of its data servers answers."


def test_a_cluster_without_room_for_its_learners_is_left_out():
    nodes = (a_node("node-1", "east"), a_node("node-2", "west", vcpus=1))
    landscape = a_landscape(nodes, {"node-1": {"mnist": 9}, "node-2": {"mnist": 9}})
    sla = a_hierarchical_sla(resource_constraints={"vcpus": 1})

    assert {item.cluster for item in of(place_project(sla, landscape), Role.LEARNER)} == {"east"}
    assert "have room for 1" in left_out(sla, landscape)[0]


def test_too_few_clusters_are_refused_with_what_each_of_the_others_lacks():
    landscape = two_clusters({"node-1": {"mnist": 9}, "node-3": {"cifar": 9}})

    with pytest.raises(NotPlaceableError) as caught:
        place_project(a_hierarchical_sla(clusters=2), landscape)

    assert "at least 2 of the clusters, but 1 can take part" in caught.value.reason
    assert "west: No data are tagged 'mnist'." in caught.value.reason
    assert caught.value.hint


def test_one_cluster_is_enough():
    placements = place_project(a_hierarchical_sla(), a_landscape())

    assert len(of(placements, Role.CLUSTER_AGGREGATOR)) == 1
    assert len(of(placements, Role.LEARNER)) == 2


def test_a_scheduler_that_places_itself_is_given_the_clusters():
    landscape = two_clusters()
    free = Landscape(landscape.nodes, landscape.data, PlacementMode.ADDONS)

    placements = place_project(a_hierarchical_sla(), free)

    placed = [
        (item.cluster, item.node, item.node_index, item.node_learners)
        for item in of(placements, Role.LEARNER)
    ]
    assert placed == [
        ("east", "", 0, 2),
        ("east", "", 1, 2),
        ("west", "", 0, 2),
        ("west", "", 1, 2),
    ]
    assert [item.cluster for item in of(placements, Role.CLUSTER_AGGREGATOR)] == ["east", "west"]


def test_a_classic_project_leaves_nobody_out():
    assert left_out(a_sla(), two_clusters({"node-1": {"mnist": 9}})) == ()
