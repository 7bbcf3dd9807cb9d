"""Senders and loaders of the field, with plain pyarrow."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import flight

from support.data_plane import a_table
from support.waiting import until

MD5 = "900150983cd24fb0d6963f7d28e17f72"
NAME = f"mnist.{MD5}.parquet"


@pytest.fixture
def client(node):
    with flight.connect(f"grpc://{node.address}") as client:
        yield client


def put(client, name, table):
    writer, _ = client.do_put(flight.FlightDescriptor.for_path(name), table.schema)
    writer.write_table(table)
    writer.close()


def test_a_sender_stores_a_table_under_the_name_it_made(client, node):
    put(client, NAME, a_table())

    assert node.visible() == [NAME]
    assert pq.read_table(node.volume / NAME).equals(a_table(), check_metadata=True)


def test_a_sender_that_repeats_itself_is_welcome(client, node):
    put(client, NAME, a_table())
    put(client, NAME, a_table())

    assert node.visible() == [NAME]


def test_a_loader_finds_by_tags_and_reads_by_ticket(client):
    put(client, NAME, a_table())
    put(client, f"other.{MD5}.parquet", a_table(3))

    criteria = json.dumps({"data_tags": ["mnist"]}).encode()
    tables = [
        client.do_get(info.endpoints[0].ticket).read_all()
        for info in client.list_flights(criteria=criteria)
    ]

    assert [table.equals(a_table(), check_metadata=True) for table in tables] == [True]


def test_the_ticket_is_the_file_name_and_no_location_is_given(client):
    put(client, NAME, a_table())

    info = client.get_flight_info(flight.FlightDescriptor.for_path(NAME))

    assert info.endpoints[0].ticket.ticket == NAME.encode()
    assert info.endpoints[0].locations == []
    assert (info.total_records, info.schema) == (100, a_table().schema)


def test_the_action_of_old_drops_a_fragment(client, node):
    put(client, NAME, a_table())

    list(client.do_action(flight.Action("drop_dataset", NAME.encode())))

    assert node.visible() == []


def test_the_actions_are_listed(client):
    offered = {action.type for action in client.list_actions()}

    assert offered == {"claim", "stats", "health", "drop_dataset"}


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.parquet",
        f"../mnist.{MD5}.parquet",
        f"/tmp/mnist.{MD5}.parquet",
        f"sub/mnist.{MD5}.parquet",
        "mnist.parquet",
        ".lock",
        f"{'m' * 10_000}.{MD5}.parquet",
    ],
)
def test_a_name_that_could_leave_the_volume_is_refused(client, node, name):
    with pytest.raises(pa.ArrowException, match="not the name of a fragment"):
        put(client, name, a_table())

    assert (node.visible(), node.unfinished()) == ([], [])


def test_an_unknown_fragment_is_an_error(client):
    with pytest.raises(flight.FlightServerError, match="there is no fragment"):
        client.do_get(flight.Ticket(NAME.encode())).read_all()


def test_a_sender_that_dies_half_way_leaves_nothing(node, client):
    script = f"""
import os, pyarrow as pa
from pyarrow import flight
table = pa.table({{"x": range(1000)}})
client = flight.connect("grpc://{node.address}")
writer, _ = client.do_put(flight.FlightDescriptor.for_path("{NAME}"), table.schema)
writer.write_table(table)
print("sent", flush=True)
os.read(0, 1)
os.kill(os.getpid(), 9)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sender:
        sender.stdout.readline()
        until(node.unfinished, what="the upload began")
        sender.communicate("x", timeout=120)

    until(lambda: not node.unfinished(), what="the half upload is removed")
    assert list(client.list_flights()) == []
    assert node.visible() == []
