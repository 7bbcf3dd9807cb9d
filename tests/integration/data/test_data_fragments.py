"""The client of the suite against a real data server."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from flops_flight.client import DataServer
from flops_flight.errors import (
    DataRejectedError,
    DataServerUnreachableError,
    InvalidRequestError,
    UnlikeDataError,
)
from flops_flight.messages import Part, Share
from flops_ml_data_server.storage.uploads import Limits
from support.data_plane import a_data_server, a_table, tables
from support.waiting import until


def test_a_table_comes_back_as_it_was_sent(server):
    sent = a_table()

    received = server.download(server.upload("mnist", sent).name)

    assert received.equals(sent, check_metadata=True)


@given(table=tables())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_table_comes_back_as_it_was_sent(server, table):
    received = server.download(server.upload("any", table).name)

    assert received.schema.equals(table.schema)
    assert received.equals(table)


def test_an_upload_is_answered_with_its_name_and_size(server, node):
    fragment = server.upload("mnist", a_table(rows=42))

    assert (fragment.rows, node.visible()) == (42, [fragment.name])
    assert fragment.bytes == (node.volume / fragment.name).stat().st_size


def test_equal_content_is_a_success_without_a_second_copy(server, node):
    first = server.upload("mnist", a_table())
    stream = pa.RecordBatchReader.from_batches(
        a_table().schema, a_table().to_batches(max_chunksize=7)
    )

    assert server.upload("mnist", stream) == first
    assert node.visible() == [first.name]


def test_tags_with_dots_are_found_under_exactly_that_name(server):
    fragment = server.upload("v1.0", a_table())
    server.upload("v1", a_table(first=1))

    assert [listed.name for listed in server.list_fragments(("v1.0",))] == [fragment.name]


def test_no_tags_list_everything(server):
    names = {server.upload("a", a_table()).name, server.upload("b", a_table()).name}

    assert {fragment.name for fragment in server.list_fragments()} == names


def test_a_dropped_fragment_is_gone(server, node):
    fragment = server.upload("mnist", a_table())

    server.drop(fragment.name)

    assert (server.list_fragments(), node.visible()) == ((), [])


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "x" * 10_000, "", "{", ".lock"])
def test_hostile_names_are_refused(server, name):
    with pytest.raises((DataRejectedError, InvalidRequestError)):
        server.download(name)
    with pytest.raises(DataRejectedError):
        server.drop(name)

    server.health()


@pytest.mark.parametrize("tag", ["../x", "a/b", "", ".hidden", "x" * 10_000, "a b"])
def test_hostile_tags_are_refused(server, node, tag):
    with pytest.raises(InvalidRequestError, match="cannot read Upload"):
        server.upload(tag, a_table())

    assert list(node.volume.glob("**/*.parquet")) == []


def test_a_sender_whose_own_data_fail_leaves_nothing(server, node):
    def half():
        yield a_table().to_batches()[0]
        raise ValueError("the sensor broke")

    reader = pa.RecordBatchReader.from_batches(a_table().schema, half())

    with pytest.raises(ValueError, match="the sensor broke"):
        server.upload("mnist", reader)
    until(lambda: not node.unfinished(), what="the half upload is removed")
    assert node.visible() == []


def test_a_too_large_upload_is_refused_and_leaves_nothing(tmp_path):
    with a_data_server(tmp_path, limits=Limits(max_upload_bytes=1000)) as node:
        with node.client() as server, pytest.raises(DataRejectedError, match="larger"):
            server.upload("mnist", a_table(rows=1_000_000))

        assert (node.visible(), node.unfinished()) == ([], [])


def test_a_full_disk_is_reported_to_the_sender(tmp_path):
    with (
        a_data_server(tmp_path, limits=Limits(min_free_bytes=2**60)) as node,
        node.client() as server,
        pytest.raises(DataRejectedError, match="full"),
    ):
        server.upload("mnist", a_table())


def test_many_send_and_read_at_once(node):
    def send_and_read(number):
        with node.client() as client:
            name = client.upload("mnist", a_table(rows=5000, first=number % 4)).name
            return name, client.download(name).column("x")[0].as_py()

    with ThreadPoolExecutor(12) as pool:
        outcomes = set(pool.map(send_and_read, range(24)))

    assert {first for _, first in outcomes} == {0, 1, 2, 3}
    assert node.visible() == sorted(name for name, _ in outcomes)


def test_a_slow_sender_keeps_nobody_waiting(node, server):
    is_stored, is_begun = threading.Event(), threading.Event()

    def slowly():
        yield a_table().to_batches()[0]
        is_begun.set()
        is_stored.wait(10)

    def send_slowly():
        with node.client() as client:
            client.upload("slow", pa.RecordBatchReader.from_batches(a_table().schema, slowly()))

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(send_slowly)
        is_begun.wait(10)
        server.upload("fast", a_table())
        during = [fragment.name.split(".")[0] for fragment in server.list_fragments()]
        is_stored.set()
        slow.result(300)

    assert during == ["fast"]


def test_stats_say_what_the_node_holds(server):
    server.upload("v1.0", a_table(rows=10))
    server.upload("v1.0", a_table(rows=5))
    server.upload("mixed", a_table())
    server.upload("mixed", pa.table({"y": ["a"]}))

    stats = server.stats()

    summaries = [(tag.tag, tag.fragments, tag.rows, tag.is_uniform) for tag in stats.tags]
    assert summaries == [("mixed", 2, 101, False), ("v1.0", 2, 15, True)]
    assert stats.tags[1].columns == {"x": "int64"}
    assert stats.free_bytes > 0
    assert "is a column of mixed." in stats.tags[0].difference
    assert stats.tags[1].difference == ""


def test_columns_that_learners_cannot_load_are_refused_by_name(server):
    table = pa.table({"x": [1, 2], "where": pa.array([b"0" * 16] * 2, pa.uuid())})

    with pytest.raises(DataRejectedError, match=r"'where' has the type .*uuid"):
        server.upload("ids", table)

    assert server.list_fragments(("ids",)) == ()


def test_the_columns_of_a_fragment_are_told_with_their_metadata(server):
    schema = pa.schema([pa.field("x", pa.int64(), metadata={"unit": "m"})], metadata={"a": "b"})

    fragment = server.upload("told", pa.table({"x": [1]}, schema=schema))

    assert server.schema(fragment.name).equals(schema, check_metadata=True)


def test_fragments_of_other_columns_do_not_become_one_table(server):
    first, second = (
        server.upload("mixed", a_table()),
        server.upload("mixed", pa.table({"y": ["a"]})),
    )

    with pytest.raises(UnlikeDataError, match=r"is a column of mixed.*but not of mixed"):
        server.read_share(Share((Part(first.name, 0, 1), Part(second.name, 0, 1))))


def test_a_silent_address_is_reported_within_the_timeout():
    with (
        DataServer("127.0.0.1:9") as nobody,
        pytest.raises(DataServerUnreachableError, match=r"127\.0\.0\.1:9"),
    ):
        nobody.wait_until_reachable(0.5)
