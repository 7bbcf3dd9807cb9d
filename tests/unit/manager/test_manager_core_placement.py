"""The places of learners, builder and aggregator, and reasons for refusal."""

from dataclasses import replace

import pytest

from flops_contracts.roles import Role
from flops_manager.domain.errors import NotPlaceableError
from flops_manager.domain.nodes import (
    BUILDER_ADDON,
    LEARNER_ADDON,
    Landscape,
    PlacementMode,
)
from flops_manager.domain.placement import (
    place_learners,
    place_mock,
    place_project,
    without_nodes,
)
from support.manager_core import a_landscape, a_node, a_sla

TWO = (a_node("node-1"), a_node("node-2"))


def nodes_of(placements):
    return [placement.node for placement in placements]


def test_learners_go_where_the_data_are():
    landscape = a_landscape(TWO, {"node-1": {"other": 9}, "node-2": {"mnist": 100}})

    placements = place_learners(a_sla(learners=2), landscape)

    assert nodes_of(placements) == ["node-2", "node-2"]
    assert [
        (placement.index, placement.node_index, placement.node_learners) for placement in placements
    ] == [
        (0, 0, 2),
        (1, 1, 2),
    ]


def test_learners_are_spread_in_proportion_to_the_rows():
    landscape = a_landscape(TWO, {"node-1": {"mnist": 300}, "node-2": {"mnist": 100}})

    placements = place_learners(a_sla(learners=4), landscape)

    assert nodes_of(placements) == ["node-1", "node-1", "node-1", "node-2"]


def test_rows_of_several_tags_count_together():
    landscape = a_landscape(TWO, {"node-1": {"a": 10, "b": 10}, "node-2": {"a": 1}})

    placements = place_learners(a_sla(learners=3, tags=("a", "b")), landscape)

    assert nodes_of(placements) == ["node-1", "node-1", "node-1"]


def test_a_node_without_room_passes_learners_on():
    nodes = (a_node("node-1", memory_mb=1000), a_node("node-2"))
    landscape = a_landscape(nodes, {"node-1": {"mnist": 1000}, "node-2": {"mnist": 10}})
    sla = a_sla(learners=3, resource_constraints={"memory": 800, "vcpus": 1})

    assert nodes_of(place_learners(sla, landscape)) == ["node-1", "node-2", "node-2"]


def test_where_no_data_server_answers_every_learner_node_will_do():
    placements = place_learners(a_sla(learners=2), a_landscape(TWO, {}))

    assert sorted(nodes_of(placements)) == ["node-1", "node-2"]


def test_a_data_server_that_does_not_answer_gets_no_learner_while_others_do():
    landscape = a_landscape(TWO, {"node-2": {"mnist": 100}})

    assert nodes_of(place_learners(a_sla(learners=2), landscape)) == ["node-2", "node-2"]


def test_missing_data_are_named_with_what_is_there():
    landscape = a_landscape(TWO, {"node-1": {"cifar": 7}, "node-2": {}})

    with pytest.raises(NotPlaceableError) as caught:
        place_learners(a_sla(tags=("mnist", "emnist")), landscape)

    assert caught.value.reason == (
        "No data are tagged 'mnist' or 'emnist'. "
        "Data on the nodes: 'cifar' (7 rows on local/node-1)."
    )
    assert "mnist" in caught.value.hint


def test_the_refusal_of_an_sla_without_tags_lists_the_existing_ones():
    with pytest.raises(NotPlaceableError, match=r"lists no data_tags.*'mnist'"):
        place_learners(a_sla(tags=()), a_landscape())


def test_more_learners_than_fit_are_refused_with_how_many_fit():
    landscape = a_landscape((a_node(vcpus=2),))

    with pytest.raises(NotPlaceableError) as caught:
        place_learners(a_sla(learners=5, resource_constraints={"vcpus": 1}), landscape)

    assert "asks for 5 learners" in caught.value.reason
    assert "room for 2 (2 on local/node-1)" in caught.value.reason


def test_more_learners_than_rows_are_refused():
    landscape = a_landscape(rows={"node-1": {"mnist": 3}})

    with pytest.raises(NotPlaceableError, match="only 3 rows"):
        place_learners(a_sla(learners=4), landscape)


def test_learners_that_share_data_may_be_more_than_rows():
    landscape = a_landscape(rows={"node-1": {"mnist": 3}})

    assert len(place_learners(a_sla(learners=4, data_split="shared"), landscape)) == 4


@pytest.mark.parametrize(
    ("addons", "missing"), [({LEARNER_ADDON}, BUILDER_ADDON), ({BUILDER_ADDON}, LEARNER_ADDON)]
)
def test_a_missing_addon_is_named_with_how_to_switch_it_on(addons, missing):
    landscape = a_landscape((a_node(addons=addons),))

    with pytest.raises(NotPlaceableError, match=missing) as caught:
        place_project(a_sla(), landscape)

    assert "NodeEngine config addon" in caught.value.hint


def test_without_an_active_cluster_nothing_is_placed():
    with pytest.raises(NotPlaceableError, match="no active cluster"):
        place_project(a_sla(), Landscape())


def test_builder_and_aggregator_go_to_the_roomiest_node():
    nodes = (a_node("node-1", memory_mb=2000), a_node("node-2", memory_mb=3000))

    placements = place_project(a_sla(), a_landscape(nodes, {"node-1": {"mnist": 10}}))

    assert {placement.role: placement.node for placement in placements} == {
        Role.BUILDER: "node-2",
        Role.AGGREGATOR: "node-2",
        Role.LEARNER: "node-1",
    }


def test_a_scheduler_that_places_itself_gets_shares_of_the_total():
    placements = without_nodes(place_project(a_sla(learners=3), a_landscape()))

    learners = [placement for placement in placements if placement.role is Role.LEARNER]
    assert {placement.node for placement in placements} == {""}
    assert [(learner.node_index, learner.node_learners) for learner in learners] == [
        (0, 3),
        (1, 3),
        (2, 3),
    ]


def test_mocks_go_to_the_node_with_the_fewest_rows_of_their_tag():
    landscape = a_landscape(TWO, {"node-1": {"mnist": 10}, "node-2": {"other": 99}})

    assert [item.node for item in place_mock("mnist", 1, landscape)] == ["node-2"]


def test_a_mock_on_several_nodes_takes_the_emptiest_ones():
    landscape = a_landscape(TWO, {"node-1": {"mnist": 10}, "node-2": {"other": 99}})

    places = place_mock("mnist", 2, landscape)

    assert [(place.node, place.index) for place in places] == [("node-2", 0), ("node-1", 1)]


def test_a_mock_for_more_nodes_than_there_are_says_how_many_there_are():
    with pytest.raises(NotPlaceableError, match="asks for 3 nodes, but only 2 can take data"):
        place_mock("mnist", 3, a_landscape(TWO, {"node-1": {}, "node-2": {}}))


def test_a_mock_avoids_a_data_server_that_does_not_answer():
    landscape = a_landscape(TWO, {"node-1": {"mnist": 10}})

    assert [item.node for item in place_mock("mnist", 1, landscape)] == ["node-1"]


def test_a_node_that_is_too_small_for_the_builder_is_named():
    with pytest.raises(NotPlaceableError, match=r"builder needs \d+ MB.*100 MB free.*node-1"):
        place_project(a_sla(), a_landscape((a_node("node-1", memory_mb=100),)))


def test_learners_leave_room_for_the_aggregator_on_its_node():
    nodes = (a_node("node-1", memory_mb=3000), a_node("node-2", memory_mb=2900))
    landscape = a_landscape(nodes, {"node-1": {"mnist": 100}, "node-2": {"mnist": 1}})
    sla = a_sla(learners=2, resource_constraints={"memory": 1450})

    learners = [item for item in place_project(sla, landscape) if item.role is Role.LEARNER]

    assert nodes_of(learners) == ["node-1", "node-2"]


def in_mode(mode, landscape=None):
    return replace(landscape or a_landscape(), mode=mode)


def test_by_direct_only_nodes_with_a_name_count():
    nodes = (a_node("", memory_mb=90_000), a_node("node-2"))
    landscape = in_mode(PlacementMode.DIRECT, a_landscape(nodes, {}))

    assert {item.node for item in place_project(a_sla(), landscape)} == {"node-2"}


def test_direct_placement_without_names_says_what_is_closed():
    landscape = in_mode(PlacementMode.DIRECT, a_landscape((a_node(""),), {}))

    with pytest.raises(NotPlaceableError, match="names of its workers") as caught:
        place_project(a_sla(), landscape)

    assert "FLOPS_CLUSTER_RESOURCE_PORT" in caught.value.hint


def test_by_addons_the_root_chooses_for_projects_and_mocks():
    landscape = in_mode(PlacementMode.ADDONS)

    places = (*place_project(a_sla(learners=3), landscape), *place_mock("mnist", 1, landscape))

    assert {(place.cluster, place.node) for place in places} == {("", "")}


def test_a_cluster_that_lists_no_workers_is_asked_for_as_a_whole():
    places = place_project(a_sla(), a_landscape((a_node("", cluster="west"),), {}))

    assert {(place.cluster, place.node) for place in places} == {("west", "")}


def test_an_addon_that_cannot_be_seen_is_distinguished_from_one_that_is_missing():
    landscape = a_landscape((a_node("", cluster="west", addons={LEARNER_ADDON}),), {})

    with pytest.raises(NotPlaceableError, match="not reported by west"):
        place_project(a_sla(), landscape)
