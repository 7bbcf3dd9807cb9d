"""A broker that dies forgets undelivered messages: actors send them again."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest

from flops_contracts.envelope import decode
from flops_contracts.events import Kind, ModelBuilt, Notice
from flops_contracts.roles import Role
from flops_contracts.topics import ALL_EVENTS
from flops_manager.adapters.mqtt import MqttEventBus
from flops_runtime.environment import read
from flops_runtime.mqtt import MqttConnection
from flops_runtime.one_shot import reporting
from flops_runtime.reporting import Reporter
from flops_runtime.settings import ActorSettings, MqttSettings
from support.breakable_line import BreakableLine
from support.broker import PASSWORD, free_port, running_broker
from support.manager_core import MovableClock, a_project
from support.waiting import until

FLUSH_SECONDS = 10


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def port():
    return free_port()


def a_bus(port, stack):
    bus = MqttEventBus(settings_for(port), MovableClock())
    stack.callback(bus.close)
    return bus


def settings_for(port):
    return MqttSettings(f"mqtt://flops@127.0.0.1:{port}", PASSWORD, connect_timeout_seconds=10)


def an_actor(port, stack) -> Reporter:
    variables = {
        "FLOPS_INSTANCE": "agg1",
        "FLOPS_PROJECT_ID": a_project().id,
        "FLOPS_STAGE": "training",
        "FLOPS_STATUS_PORT": "0",
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        "FLOPS_HEARTBEAT_SECONDS": "3600",
        "FLOPS_MQTT_URL": settings_for(port).url,
        "FLOPS_MQTT_PASSWORD": PASSWORD,
    }
    settings = read(ActorSettings, variables, role=Role.AGGREGATOR)
    return stack.enter_context(reporting(settings))


def a_listener(port, stack):
    """Return the list of a passive client's events, once the broker has its subscriptions."""
    heard, echo = [], Event()
    listener = MqttConnection(settings_for(port), "a-listener")
    for topic in ALL_EVENTS:
        listener.subscribe(topic, lambda _, data: heard.append(decode(data)))
    listener.subscribe("echo", lambda *_: echo.set())
    stack.enter_context(listener)
    # The broker takes a connection's packets in order; the subscriptions come first.
    listener.publish("echo", b"")
    assert echo.wait(300)
    return heard


def notices(heard):
    return [event.payload.message for event in heard if event.kind is Kind.NOTICE]


def report_notice(actor, message):
    actor.report(Kind.NOTICE, Notice(message))
    assert actor.flush(FLUSH_SECONDS)


def test_what_was_said_to_a_broker_without_the_managers_session_is_said_again(port, stack):
    stack.enter_context(running_broker(port))
    actor, heard = an_actor(port, stack), []
    report_notice(actor, "first")
    actor.progress("passing", 1, 2)
    report_notice(actor, "second")

    a_bus(port, stack).open(heard.append)

    until(lambda: notices(heard) == ["first", "second"])
    assert Kind.PROGRESS not in {event.kind for event in heard}


def test_a_manager_whose_session_was_kept_asks_for_nothing(port, stack):
    stack.enter_context(running_broker(port))
    actor, heard = an_actor(port, stack), []
    report_notice(actor, "first")
    bus = a_bus(port, stack)
    bus.open(heard.append)
    until(lambda: notices(heard) == ["first"])
    bus.close()
    report_notice(actor, "while it was away")

    bus.open(heard.append)
    report_notice(actor, "last")

    until(lambda: "last" in notices(heard))
    assert notices(heard) == ["first", "while it was away", "last"]


def test_an_actor_that_comes_after_the_manager_repeats_what_the_dead_broker_had(port, stack):
    line = BreakableLine(port)
    line.start()
    stack.callback(line.close)
    with running_broker(port):
        actor = an_actor(line.port, stack)
        report_notice(actor, "to a broker that dies")
        result = actor.deliver(Kind.MODEL_BUILT, ModelBuilt("image"))
        line.is_down = True
        line.cut()
    stack.enter_context(running_broker(port))
    heard = a_listener(port, stack)

    line.is_down = False

    until(lambda: result in {event.event_id for event in heard}, 30)
    assert notices(heard) == ["to a broker that dies"]


def test_what_is_published_waits_for_a_broker_that_is_away(port, stack):
    with running_broker(port):
        connection = stack.enter_context(MqttConnection(settings_for(port), "a-publisher"))
    until(lambda: not connection.is_connected)
    with ThreadPoolExecutor() as pool:
        published = pool.submit(connection.publish, "flops/v1/kept", b"a result", retain=True)

        stack.enter_context(running_broker(port))

        published.result(300)
    heard = []
    with MqttConnection(settings_for(port), "a-later-client") as later:
        later.subscribe("flops/v1/kept", lambda _, data: heard.append(data))
        until(lambda: heard == [b"a result"])


def test_an_actor_that_ends_repeats_what_nobody_may_have_heard(port, stack):
    with ExitStack() as life:
        with running_broker(port):
            actor = an_actor(port, life)
            report_notice(actor, "to a broker that dies")
        stack.enter_context(running_broker(port))
        report_notice(actor, "to nobody")
        heard = a_listener(port, stack)

    until(lambda: notices(heard) == ["to a broker that dies", "to nobody"])


def test_an_actor_ends_after_what_it_repeats_has_left(port, stack):
    said = [f"notice {number}" for number in range(200)]
    stack.enter_context(running_broker(port))
    with ExitStack() as life:
        actor, heard = an_actor(port, life), []
        for message in said:
            actor.report(Kind.NOTICE, Notice(message))
        event_id = actor.deliver(Kind.MODEL_BUILT, ModelBuilt("image"))
        bus = a_bus(port, stack)

        def confirm(event):
            heard.append(event)
            if event.event_id == event_id:
                bus.acknowledge(event)

        bus.open(confirm)
        assert actor.is_acknowledged(event_id, 30)

    until(lambda: notices(heard) == said)
