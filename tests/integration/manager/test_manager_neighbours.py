"""The manager's event bus over a real broker, and its data servers over real Arrow Flight."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from flops_contracts.api.answers import TagStats
from flops_contracts.envelope import decode, encode
from flops_contracts.events import Actor, Kind, Notice
from flops_contracts.roles import Role
from flops_contracts.topics import mock_topics, project_topics
from flops_manager.adapters.data_servers import FlightDataServers
from flops_manager.adapters.mqtt import MqttEventBus
from flops_manager.domain.errors import StoreUnavailableError
from flops_runtime.mqtt import BrokerUnreachableError, MqttConnection
from flops_runtime.settings import MqttSettings
from support.broker import PASSWORD, Broker, free_port, running_broker
from support.data_plane import a_data_server, a_table
from support.manager_core import ACTORS_BUILT, NOW, MovableClock, a_project, an_event
from support.waiting import until

PROJECT = a_project()
OBSERVER = PROJECT.present(Role.OBSERVER)[0].instance
TOPICS = project_topics(PROJECT.id)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with running_broker() as running:
        yield running


def settings_for(broker):
    return MqttSettings(broker.url, PASSWORD, connect_timeout_seconds=10)


@pytest.fixture
def bus(broker):
    bus = MqttEventBus(settings_for(broker), MovableClock())
    yield bus
    bus.close()


@pytest.fixture
def actor(broker):
    with MqttConnection(settings_for(broker), "an-actor") as connection:
        yield connection


def a_notice(text="hello"):
    return an_event(PROJECT, OBSERVER, Kind.NOTICE, Notice(text))


def a_result():
    return an_event(PROJECT, OBSERVER, Kind.ACTORS_BUILT, ACTORS_BUILT)


def test_messages_of_projects_and_mocks_arrive(bus, actor):
    heard = []
    bus.open(heard.append)
    event = a_notice()

    actor.publish(TOPICS.events, encode(event))
    provider = Actor(Role.MOCK_DATA_PROVIDER, "mdpx1")
    of_a_mock = replace(event, event_id="2", actor=provider)
    actor.publish(mock_topics(PROJECT.id).events, encode(of_a_mock))

    until(lambda: len(heard) == 2)
    assert heard == [event, of_a_mock]


def test_what_is_said_while_nobody_listens_waits(broker, bus, actor):
    bus.open(lambda *_: None)
    bus.close()
    event = a_notice("while you were out")
    actor.publish(TOPICS.events, encode(event))
    heard = []

    second = MqttEventBus(settings_for(broker), MovableClock())
    second.open(heard.append)

    until(lambda: event in heard)
    second.close()


def test_a_confirmation_reaches_the_actor_and_the_result_leaves_the_broker(broker, bus, actor):
    orders = []
    actor.subscribe(TOPICS.control, lambda _, data: orders.append(decode(data)))
    event = a_result()
    bus.open(bus.acknowledge)

    actor.publish(TOPICS.result(OBSERVER), encode(event), retain=True)

    until(lambda: event.event_id in {order.payload.event_id for order in orders})
    retained = []
    with MqttConnection(settings_for(broker), "a later client") as later:
        later.subscribe(TOPICS.result(OBSERVER), lambda _, data: retained.append(data))
        later.subscribe(TOPICS.events, lambda _, data: retained.append(data))
        later.publish(TOPICS.events, b"the end")
        until(lambda: b"the end" in retained)
    assert [item for item in retained if item] == [b"the end"]


def test_a_result_that_nobody_confirmed_comes_again(broker, bus, actor):
    heard = []
    bus.open(lambda *_: None)
    event = a_result()
    actor.publish(TOPICS.result(OBSERVER), encode(event), retain=True)
    bus.close()

    second = MqttEventBus(settings_for(broker), MovableClock())
    second.open(heard.append)

    until(lambda: event in heard)
    second.acknowledge(event)
    second.close()


def test_what_could_not_be_stored_comes_again(broker, bus, actor):
    tried, heard = [], []

    def receive_without_a_store(event):
        tried.append(event)
        raise StoreUnavailableError("away")

    bus.open(receive_without_a_store)
    event = a_notice("what was said while the store was away")
    actor.publish(TOPICS.events, encode(event))
    until(lambda: event in tried)
    bus.close()

    second = MqttEventBus(settings_for(broker), MovableClock())
    second.open(heard.append)

    until(lambda: event in heard)
    second.close()


def test_closing_ends_the_waiting_for_a_broker_that_is_away():
    away = MqttSettings(f"mqtt://127.0.0.1:{free_port()}", connect_timeout_seconds=60)
    bus = MqttEventBus(away, lambda: NOW)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(bus.open, lambda *_: None)
        until(lambda: bus._connection is not None)

        bus.close()

        assert isinstance(opening.exception(10), BrokerUnreachableError)


def test_nonsense_and_lies_are_dropped(bus, actor):
    heard = []
    bus.open(heard.append)

    actor.publish(TOPICS.events, b"nonsense")
    actor.publish(project_topics("another").events, encode(a_notice("of another project")))
    actor.publish(mock_topics(PROJECT.id).events, encode(a_notice("as if it were a mock's")))
    actor.publish(TOPICS.events, encode(a_notice("the truth")))

    until(lambda: heard)
    assert [message.payload.message for message in heard] == ["the truth"]


def test_the_managers_own_announcements_are_not_heard_by_itself(bus, actor):
    heard, seen = [], []
    bus.open(heard.append)
    actor.subscribe(TOPICS.events, lambda _, data: seen.append(data))
    # The broker takes one client's packets in order, so the subscription stands after this.
    actor.publish(TOPICS.control, b"anything")
    notice = a_notice("the manager's own")

    bus.publish(replace(notice, actor=Actor(Role.MANAGER, "manager")), "project")
    bus.publish(a_notice("an actor's"), "project")

    until(lambda: len(seen) == 2 and heard)
    assert [message.payload.message for message in heard] == ["an actor's"]


def test_a_broker_that_is_away_is_said_to_be():
    away = MqttSettings(f"mqtt://127.0.0.1:{free_port()}", connect_timeout_seconds=0.2)
    bus = MqttEventBus(away, lambda: NOW)

    with pytest.raises(BrokerUnreachableError):
        bus.open(lambda *_: None)

    bus.publish(a_notice(), "project")
    bus.close()


def test_a_data_server_lists_its_data(tmp_path):
    with a_data_server(tmp_path) as world:
        with world.client() as client:
            client.upload("mnist", a_table(30))

        stats = FlightDataServers().stats(world.address)

        assert list(stats) == ["mnist"]
        assert stats["mnist"] == TagStats(30, 1, stats["mnist"].bytes, stats["mnist"].columns)
        assert stats["mnist"].columns


def test_a_data_server_that_is_away_holds_nothing_known():
    assert FlightDataServers().stats(f"127.0.0.1:{free_port()}") is None
