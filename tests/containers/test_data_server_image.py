"""The ml-data-server as Oakestra's NodeEngine starts it, word for word."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyarrow import flight

from containers.bench.engine import Engine, await_

IMAGE = "ghcr.io/oakestra/addon-flops/ml-data-server:latest"
COMMAND = (
    *("run", "--rm", "-d", "-p", "11027:11027"),
    *("-v", "ml_data_server_volume:/ml_data_server_volume", "--name=ml_data_server", IMAGE),
)
FRAGMENT = "people.0123456789abcdef0123456789abcdef.parquet"
TAGS = b'{"data_tags": ["people"]}'


def answers(client: flight.FlightClient) -> bool:
    try:
        return bool(list(client.do_action(flight.Action("health", b""))))
    except flight.FlightUnavailableError:
        return False


@pytest.fixture
def client(engine: Engine) -> Iterator[flight.FlightClient]:
    engine.docker(*COMMAND)
    with flight.connect("grpc://127.0.0.1:11027") as client:
        await_("the data server", lambda: answers(client), 30)
        yield client
    engine.docker("stop", "ml_data_server")
    engine.docker("volume", "rm", "ml_data_server_volume")


def send(client: flight.FlightClient, table: pa.Table) -> None:
    where = flight.FlightDescriptor.for_path(FRAGMENT)
    writer, _ = client.do_put(where, table.schema)
    with writer:
        writer.write_table(table)


def test_it_keeps_what_edge_devices_send_over_a_restart(
    engine: Engine, client: flight.FlightClient
) -> None:
    send(client, pa.table({"age": [1, 2, 3]}))

    engine.docker("stop", "ml_data_server")
    engine.docker(*COMMAND)
    await_("the data server", lambda: answers(client), 30)

    assert [flight_info.total_records for flight_info in client.list_flights(TAGS)] == [3]


def test_it_ends_within_ten_seconds(engine: Engine, client: flight.FlightClient) -> None:
    engine.docker("stop", "--time", "10", "ml_data_server", seconds=15)
    still_there = engine.docker("ps", "--all", "--quiet", "--filter", "name=ml_data_server")
    engine.docker(*COMMAND)

    assert still_there == ""
