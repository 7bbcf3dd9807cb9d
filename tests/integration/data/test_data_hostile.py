"""Clients that err, stop or mean harm: nothing escapes, nothing partial is seen, it goes on."""

import contextlib
import itertools
import os
import resource
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import flight

from flops_flight.client import DataServer
from flops_flight.errors import DataRejectedError, DataServerUnreachableError, NoDataError
from flops_flight.messages import Part
from flops_ml_data_server.storage.uploads import Limits
from support import flight_wire
from support.broker import free_port
from support.data_plane import a_data_server, a_data_server_process, a_table, memory_mb
from support.waiting import until

NAME = f"mnist.{'a' * 32}.parquet"


def begun(client, schema, name=NAME):
    return client.do_put(flight.FlightDescriptor.for_path(name), schema)[0]


def assert_untouched(node):
    with node.client() as server:
        server.health()
        assert server.list_fragments() == ()
    until(lambda: not node.unfinished(), what="nothing is left of the upload")
    assert node.visible() == []


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "x" * 10_000, "\0", ".lock", "..", ""])
@pytest.mark.parametrize("suffix", ["", f".{'a' * 32}.parquet"])
def test_no_name_leaves_the_volume(node, name, suffix):
    before = {path for path in node.volume.parent.rglob("*") if ".audit" not in path.parts}

    with flight.connect(f"grpc://{node.address}") as client:
        writer = begun(client, a_table().schema, name + suffix)
        with pytest.raises(pa.ArrowException):
            writer.close()
        with pytest.raises(pa.ArrowException):
            client.do_get(flight.Ticket((name + suffix).encode())).read_all()

    after = {path for path in node.volume.parent.rglob("*") if ".audit" not in path.parts}
    assert after == before


def test_a_table_without_rows_is_stored_and_shared_by_nobody(server):
    empty = server.upload("mnist", a_table(rows=0))

    assert server.download(empty.name).num_rows == 0
    with pytest.raises(NoDataError, match="0 rows"):
        server.claim("0123456789ab", 0, 1, ("mnist",))


def test_a_batch_of_another_schema_ends_the_upload(node):
    with flight.connect(f"grpc://{node.address}") as client:
        writer = begun(client, a_table().schema)
        with pytest.raises(pa.ArrowException):
            writer.write_table(pa.table({"y": ["other"]}))
        with contextlib.suppress(pa.ArrowException):
            writer.close()

    assert len(node.visible()) <= 1
    with node.client() as server:
        assert sum(fragment.rows for fragment in server.list_fragments()) == 0


def test_anything_but_arrow_is_refused(node):
    garbage = [b"\x0a\x04\x08\x01\x1a\x00", os.urandom(1000), b"", b"\xa2\x3e\x03abc"]
    for message in garbage:
        with pytest.raises(grpc.RpcError):
            flight_wire.put(node.address, [message])

    assert_untouched(node)


WORDS = pa.record_batch({"x": ["ab", "cd", "efg"] * 10})
HEALTHY = flight_wire.body_of(WORDS)
AFTER_OFFSETS = HEALTHY[31 * 4 :]


def offsets(*values):
    return struct.pack("<31i", *values) + AFTER_OFFSETS


@pytest.mark.parametrize(
    "body",
    [
        HEALTHY[: len(HEALTHY) // 2],
        b"",
        offsets(0, *[10**8] * 30),
        offsets(0, *[-(10**8)] * 29, 70),
        offsets(0, *[2 * 10**9] * 29, 70),
        HEALTHY[:128] + b"\xff" * (len(HEALTHY) - 128),
    ],
    ids=["half", "nothing", "too far", "negative", "too far in between", "no text"],
)
def test_a_damaged_batch_is_refused_and_followed_nowhere(process_node, body):
    """Arrow believes in offsets: without a look at them first, one of these ends the process."""
    with pytest.raises(grpc.RpcError, match=r"damaged|cannot be read"):
        flight_wire.put(process_node.address, flight_wire.upload_of(NAME, WORDS, body))

    assert_untouched(process_node)


def test_indices_beyond_their_dictionary_are_refused(process_node):
    """The dictionary is left out: then every index is beyond it."""
    words = pa.record_batch({"x": pa.array(["a", "b"]).dictionary_encode()})
    body = flight_wire.body_of(words)

    with pytest.raises(grpc.RpcError):
        flight_wire.put(process_node.address, flight_wire.upload_of(NAME, words, body))

    assert_untouched(process_node)


def test_a_link_is_not_a_fragment_for_any_call(node, server):
    secret = node.volume.parent / "secret.parquet"
    pq.write_table(a_table(), secret)
    before = secret.read_bytes()
    (node.volume / NAME).symlink_to(secret)

    with pytest.raises(NoDataError):
        server.download(NAME)
    with pytest.raises(NoDataError):
        server.drop(NAME)
    with flight.connect(f"grpc://{node.address}") as client:
        writer = begun(client, a_table(first=7).schema)
        writer.write_table(a_table(first=7))
        with pytest.raises(pa.ArrowException, match="is not a fragment"):
            writer.close()

    assert server.list_fragments() == ()
    assert secret.read_bytes() == before


def test_many_more_senders_than_memory_for_them_all_succeed(tmp_path):
    """Senders in the field neither wait nor try again."""
    with a_data_server(tmp_path / "volume", max_bytes=8 * 10**6) as node:

        def send(number):
            table = pa.table({"x": [os.urandom(500_000)]})
            with flight.connect(f"grpc://{node.address}") as client:
                writer = begun(client, table.schema, f"mnist.{number:032x}.parquet")
                writer.write_table(table)
                writer.close()

        with ThreadPoolExecutor(40) as pool:
            list(pool.map(send, range(40)))

        assert len(node.visible()) == 40


def test_a_client_that_stops_half_way_keeps_nothing(tmp_path):
    limits = Limits(min_free_bytes=0, idle_seconds=0.4)
    with a_data_server(tmp_path / "volume", limits=limits) as node:
        client = flight.connect(f"grpc://{node.address}")
        writer = begun(client, a_table().schema)
        writer.write_table(a_table())
        until(node.unfinished, what="the upload began")

        until(lambda: not node.unfinished(), what="the server gave it up")
        with node.client() as server:
            assert server.list_fragments() == ()
        with pytest.raises(pa.ArrowException, match="discarded this upload"):
            writer.close()
        client.close()


def test_a_client_that_sends_for_ever_is_stopped_by_a_limit(tmp_path):
    limits = Limits(max_upload_bytes=2_000_000, min_free_bytes=0)
    batch = pa.table({"x": [os.urandom(600_000)]})
    with a_data_server(tmp_path / "volume", limits=limits, max_bytes=1) as node:
        endless = pa.RecordBatchReader.from_batches(
            batch.schema, itertools.repeat(batch.to_batches()[0])
        )
        with node.client() as server, pytest.raises(DataRejectedError, match="larger"):
            server.upload("mnist", endless)
        assert_untouched(node)


def test_an_upload_may_not_take_for_ever(tmp_path):
    limits = Limits(min_free_bytes=0, idle_seconds=1, upload_seconds=0.5)
    patient = threading.Event()

    def slowly():
        while not patient.wait(0.05):
            yield a_table().to_batches()[0]

    with a_data_server(tmp_path / "volume", limits=limits) as node, node.client() as server:
        with pytest.raises(DataRejectedError, match="took longer"):
            server.upload("slow", pa.RecordBatchReader.from_batches(a_table().schema, slowly()))
        patient.set()
        assert_untouched(node)


def test_a_full_disk_ends_the_upload_and_nothing_else(tmp_path):
    """The system itself refuses to write on: a limit for files stands in for the disk's end."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        "FLOPS_DATA_VOLUME": str(tmp_path / "volume"),
        "FLOPS_FLIGHT_PORT": str(port),
        "FLOPS_HTTP_PORT": str(free_port()),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "flops_ml_data_server"],
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)),  # noqa: PLW1509
    ) as process:
        try:
            with DataServer(f"127.0.0.1:{port}") as server:
                server.wait_until_reachable(60)
                noise = pa.table({"x": [os.urandom(3_000_000)]})
                with pytest.raises(DataRejectedError, match="volume"):
                    server.upload("mnist", noise)
                small = server.upload("mnist", a_table()).name

                assert [fragment.name for fragment in server.list_fragments()] == [small]
            assert list((tmp_path / "volume").glob(".upload-*")) == []
        finally:
            process.kill()


class Point(pa.ExtensionType):
    """A type that the server does not know."""

    def __init__(self):
        super().__init__(pa.list_(pa.float64(), 2), "test.point")

    def __arrow_ext_serialize__(self):
        return b"v1"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


def test_nested_dictionary_and_extension_types_survive(server):
    points = pa.ExtensionArray.from_storage(
        Point(), pa.array([[1, 2], [3, 4]], pa.list_(pa.float64(), 2))
    )
    sent = pa.table(
        {
            "points": points,
            "words": pa.array(["a", None]).dictionary_encode(),
            "deep": pa.array([[{"a": [1, None]}], None]),
        }
    )

    received = server.download(server.upload("odd", sent).name)

    assert received.column("words").to_pylist() == ["a", None]
    assert received.column("deep").to_pylist() == [[{"a": [1, None]}], None]
    assert received.column("points").combine_chunks().to_pylist() == [[1, 2], [3, 4]]


LEAVE_OPEN = """
import sys, pyarrow as pa
from pyarrow import flight
batch, left = pa.record_batch({"x": [1]}), []
for number in range(100):
    client = flight.connect(f"grpc://{sys.argv[1]}")
    path = flight.FlightDescriptor.for_path(f"left.{number:032x}.parquet")
    writer, reader = client.do_put(path, batch.schema)
    writer.write_batch(batch)
    left.append((client, writer, reader))
print("left", flush=True)
sys.stdin.read()
"""


def test_a_hundred_connections_left_open_keep_nobody_out(node):
    with subprocess.Popen(
        [sys.executable, "-c", LEAVE_OPEN, node.address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as others:
        assert others.stdout.readline() == "left\n"
        until(lambda: len(node.unfinished()) == 100, 30, what="all uploads began")
        with node.client() as server:
            name = server.upload("mnist", a_table()).name
            assert server.download(name).num_rows == 100
            assert [fragment.name for fragment in server.list_fragments()] == [name]
        others.kill()

    until(lambda: not node.unfinished(), 30, what="nothing is left of them")
    assert node.visible() == [name]


def test_transfers_beyond_the_limit_are_refused(tmp_path):
    with a_data_server(tmp_path / "volume", max_transfers=1) as node:
        with flight.connect(f"grpc://{node.address}") as client:
            writer = begun(client, a_table().schema)
            writer.write_table(a_table())
            until(node.unfinished, what="the upload began")
            with node.client() as server, pytest.raises(DataServerUnreachableError, match="limit"):
                server.upload("mnist", a_table())
            writer.close()
        with node.client() as server:
            assert server.upload("mnist", a_table()).rows == 100


def test_of_two_uploads_of_one_name_at_once_one_wins_and_equal_ones_both_succeed(node):
    def put(first):
        with flight.connect(f"grpc://{node.address}") as client:
            writer = begun(client, a_table().schema)
            writer.write_table(a_table(first=first))
            try:
                writer.close()
            except pa.ArrowException as error:
                return "exists with other data" in str(error)
            return "stored"

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(put, [0, 0, 7, 7]))

    assert sorted(map(str, outcomes)) == ["True", "True", "stored", "stored"]
    assert node.visible() == [NAME]


def test_a_drop_during_a_read_lets_it_end(server, node):
    rows = 400_000
    stored = server.upload("mnist", a_table(rows=rows))
    batches = server.reader(Part(stored.name))
    first = next(batches)

    with node.client() as other:
        other.drop(stored.name)

    assert first.num_rows + sum(batch.num_rows for batch in batches) == rows
    assert node.visible() == []


def test_a_slow_reader_keeps_nobody_waiting(server, node):
    name = server.upload("mnist", a_table(rows=3_000_000)).name
    slow = server.reader(Part(name))
    next(slow)

    with node.client() as other:
        assert other.download(name).num_rows == 3_000_000
        other.upload("mnist", a_table())
    slow.close()


def test_memory_does_not_grow_with_the_data(tmp_path):
    def send(node, number):
        block = pa.record_batch({"x": [os.urandom(2**20)]})
        batches = pa.RecordBatchReader.from_batches(block.schema, itertools.repeat(block, 400))
        with node.client() as server:
            return server.upload(f"t{number}", batches).rows

    with a_data_server_process(tmp_path / "volume", FLOPS_MEMORY_MB="16") as (node, process):
        with node.client() as server:
            server.wait_until_reachable(60)
        before = memory_mb(process, "VmHWM")
        with ThreadPoolExecutor(2) as pool:
            assert set(pool.map(send, [node, node], range(2))) == {400}
        grown = memory_mb(process, "VmHWM") - before

    assert grown < 500  # of 800 MB that were sent
