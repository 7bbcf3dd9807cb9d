"""Data that do not fit one model are found before anything is built for them."""

from dataclasses import replace

import pyarrow as pa
import pytest

from flops_contracts.api.answers import TagStats
from flops_contracts.roles import Stage
from flops_manager.domain.columns import Held, kinds_of, require_alike
from flops_manager.domain.errors import NotPlaceableError
from flops_manager.domain.placement import place_project
from support.manager_core import Core, a_landscape, a_node, a_sla

NUMBERS = {"x": "list<item: float>", "label": "int64"}


def held(node, columns, tag="mnist", rows=10, **more):
    return Held(node, tag, TagStats(rows, 1, 100, columns, **more))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.float32(), pa.float64()),
        (pa.int64(), pa.uint8()),
        (pa.string(), pa.large_string()),
        (pa.string(), pa.dictionary(pa.int32(), pa.string())),
        (pa.binary(), pa.large_binary()),
        (pa.list_(pa.float32()), pa.large_list(pa.float64())),
        (pa.list_(pa.float32()), pa.list_(pa.float32(), 3)),
        (
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
            pa.struct([("bytes", pa.large_binary()), ("path", pa.string())]),
        ),
    ],
    ids=str,
)
def test_what_differs_in_storage_only_is_alike(first, second):
    require_alike([held("a/1", {"x": str(first)}), held("b/2", {"x": str(second)})])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.float32(), pa.int32()),
        (pa.string(), pa.binary()),
        (pa.list_(pa.float32()), pa.float32()),
        (pa.list_(pa.float32()), pa.list_(pa.list_(pa.float32()))),
        (pa.struct([("a", pa.int8())]), pa.struct([("b", pa.int8())])),
    ],
    ids=str,
)
def test_kinds_that_differ_are_named_with_node_and_tag(first, second):
    with pytest.raises(NotPlaceableError) as caught:
        require_alike([held("a/1", {"x": str(first)}), held("b/2", {"x": str(second)}, tag="more")])

    assert caught.value.reason == (
        f"The data do not fit together: 'x' is {first} in 'mnist' on a/1, "
        f"but {second} in 'more' on b/2."
    )


def test_a_column_that_is_missing_somewhere_is_named():
    with pytest.raises(NotPlaceableError, match="'label' is a column of 'mnist' on a/1, but not"):
        require_alike([held("a/1", NUMBERS), held("b/2", {"x": NUMBERS["x"]})])


def test_fragments_of_one_node_that_differ_are_named():
    with pytest.raises(NotPlaceableError, match=r"fragments tagged 'mnist' on a/1 have different"):
        require_alike([held("a/1", NUMBERS, is_uniform=False)])


def test_what_differs_between_fragments_of_one_node_is_told():
    unlike = "'label' is int64 (classes a, b) in one, but int64 (classes b) in another"

    with pytest.raises(NotPlaceableError, match=r"fit together: 'label' is int64 \(classes a"):
        require_alike([held("a/1", NUMBERS, is_uniform=False, difference=unlike)])


def test_other_classes_on_other_nodes_are_told_with_both_lists():
    first, second = "int64 (classes broken, good)", "int32 (classes good)"

    with pytest.raises(NotPlaceableError) as caught:
        require_alike([held("a/1", {"label": first}), held("b/2", {"label": second})])

    assert f"'label' is {first} in 'mnist' on a/1, but {second} in" in caught.value.reason
    require_alike(
        [held("a/1", {"label": first}), held("b/2", {"label": first.replace("64", "32")})]
    )


def test_an_older_data_server_without_columns_is_accepted():
    require_alike([held("a/1", {}), held("b/2", NUMBERS)])


def test_a_node_without_rows_does_not_count():
    require_alike([held("a/1", {"y": "string"}, rows=0), held("b/2", NUMBERS)])


def test_every_type_is_read_without_change_of_its_name():
    assert kinds_of({"a": "timestamp[us, tz=UTC]"}) == {"a": "timestamp[us, tz=UTC]"}


def two_nodes(columns, other):
    landscape = a_landscape((a_node("node-1"), a_node("node-2")), {})
    stats = TagStats(100, 1, 1000)
    data = {
        "local/node-1": {"mnist": replace(stats, columns=columns)},
        "local/node-2": {"mnist": replace(stats, columns=other)},
    }
    return replace(landscape, data=data)


def test_a_project_is_placed_where_the_data_agree():
    assert place_project(a_sla(), two_nodes(NUMBERS, NUMBERS))


def test_a_project_fails_before_its_builder_when_they_do_not():
    core = Core(landscape=two_nodes(NUMBERS, {**NUMBERS, "label": "string"}))
    with core.working():
        project_id = core.submit()

        error = core.until_stage(project_id, Stage.FAILED).error

    assert "'label' is int64 in 'mnist' on local/node-1, but string" in error.reason
    assert not [item for item in core.orchestrator.deployed if item.name.startswith("bld")]
