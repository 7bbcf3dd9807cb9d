"""The ml-data-server as Oakestra's NodeEngine starts it, word for word."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyarrow import flight

from containers.bench.bench import Bench
from containers.bench.engine import Engine, await_

IMAGE = "ghcr.io/oakestra/addon-flops/ml-data-server:latest"
FRAGMENT = "people.0123456789abcdef0123456789abcdef.parquet"
TAGS = b'{"data_tags": ["people"]}'


def answers(client: flight.FlightClient) -> bool:
    try:
        return bool(list(client.do_action(flight.Action("health", b""))))
    except flight.FlightUnavailableError:
        return False


def stop(engine: Engine) -> None:
    """Stop it and wait until it is removed, which --rm does a moment later."""
    engine.docker("stop", "ml_data_server")
    listed = ("ps", "--all", "--quiet", "--filter", "name=ml_data_server")
    await_("the end of the data server", lambda: engine.docker(*listed) == "", 30)


@pytest.fixture
def command(bench: Bench, engine: Engine) -> tuple[str, ...]:
    return (
        *("run", "--rm", "-d", "-p", bench.publish(11027)),
        *("-v", "ml_data_server_volume:/ml_data_server_volume", "--name=ml_data_server", IMAGE),
    )


@pytest.fixture
def client(bench: Bench, engine: Engine, command: tuple[str, ...]) -> Iterator[flight.FlightClient]:
    engine.docker(*command)
    with flight.connect(f"grpc://{bench.bridge_address}:11027") as client:
        await_("the data server", lambda: answers(client), 60)
        yield client
    stop(engine)
    engine.docker("volume", "rm", "ml_data_server_volume")


def send(client: flight.FlightClient, table: pa.Table) -> None:
    where = flight.FlightDescriptor.for_path(FRAGMENT)
    writer, _ = client.do_put(where, table.schema)
    with writer:
        writer.write_table(table)


def test_it_keeps_what_edge_devices_send_over_a_restart(
    engine: Engine, client: flight.FlightClient, command: tuple[str, ...]
) -> None:
    send(client, pa.table({"age": [1, 2, 3]}))

    stop(engine)
    engine.docker(*command)
    await_("the data server", lambda: answers(client), 60)

    assert [flight_info.total_records for flight_info in client.list_flights(TAGS)] == [3]


def test_it_ends_when_it_is_asked_to(
    engine: Engine, client: flight.FlightClient, command: tuple[str, ...]
) -> None:
    # docker would kill it after a minute only; on a busy machine it takes seconds itself.
    engine.docker("stop", "--time", "60", "ml_data_server", seconds=40)
    named = ("ps", "--all", "--quiet", "--filter", "name=ml_data_server")
    await_("the container's removal", lambda: engine.docker(*named) == "", 30)
    engine.docker(*command)
