"""A one-shot against a real broker: results are delivered, confirmed, and kept until they are."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest

from flops_contracts.envelope import decode, encode
from flops_contracts.errors import FlopsError
from flops_contracts.events import RESULTS, Acknowledged, Actor, Event, Kind, ModelBuilt
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role
from flops_contracts.topics import ALL_EVENTS
from flops_runtime.environment import read
from flops_runtime.mqtt import BrokerUnreachableError, MqttConnection
from flops_runtime.one_shot import run_one_shot
from flops_runtime.settings import ActorSettings, MqttSettings
from support.broker import PASSWORD, free_port, running_broker
from support.waiting import until


class NoCakeError(FlopsError):
    exit_code = ExitCode.NO_DATA


@pytest.fixture(scope="module")
def broker():
    with running_broker() as running:
        yield running


@pytest.fixture
def settings(broker):
    return settings_for(broker)


def settings_for(broker, **changes):
    variables = {
        "FLOPS_INSTANCE": "bld1",
        "FLOPS_PROJECT_ID": os.urandom(6).hex(),
        "FLOPS_STAGE": "building_actors",
        "FLOPS_STATUS_PORT": "0",
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        **broker.environment,
        **changes,
    }
    return read(ActorSettings, variables, role=Role.BUILDER)


class ListeningManager(AbstractContextManager):
    """Does what the manager promises: stores a result, confirms it, clears the retained one."""

    def __init__(self, broker, *, confirms=True):
        self.events = []
        self._confirms = confirms
        self._confirmations = ThreadPoolExecutor(1)
        settings = MqttSettings(broker.url, PASSWORD)
        self.connection = MqttConnection(settings, f"manager-{os.urandom(4).hex()}")
        for topic in ALL_EVENTS:
            self.connection.subscribe(topic, self.receive)

    def __enter__(self):
        self.connection.connect()
        return self

    def __exit__(self, *_):
        self._confirmations.shutdown()
        self.connection.close()

    def receive(self, topic, data):
        if not data:
            return
        event = decode(data)
        self.events.append(event)
        if self._confirms and event.kind in RESULTS:
            answer = Event(
                event_id=os.urandom(8).hex(),
                project_id=event.project_id,
                actor=Actor(Role.MANAGER, "manager"),
                stage=event.stage,
                kind=Kind.ACKNOWLEDGED,
                at=datetime.now(UTC),
                payload=Acknowledged(event.event_id),
            )
            control = f"{topic.partition('/events')[0]}/control"
            self._confirmations.submit(self.confirm, topic, control, encode(answer))

    def confirm(self, topic, control, answer):
        self.connection.publish(control, answer)
        self.connection.publish(topic, b"", retain=True)


@pytest.fixture
def manager(broker):
    with ListeningManager(broker) as manager:
        yield manager


def test_work_that_is_done_and_confirmed_ends_with_zero(settings, manager):
    def work(reporter):
        reporter.progress("building", 1, 2, "images")
        return Kind.MODEL_BUILT, ModelBuilt("image")

    code = run_one_shot(settings, work)

    kinds = [event.kind for event in manager.events if event.project_id == settings.subject_id]
    assert code is ExitCode.DONE
    assert kinds == [Kind.STARTED, Kind.PROGRESS, Kind.MODEL_BUILT]


def test_an_expected_failure_reports_its_reason_and_its_exit_code(settings, manager):
    def work(_reporter):
        raise NoCakeError("the cake is gone", hint="bake one", where="oven.py:3")

    code = run_one_shot(settings, work)

    (failure,) = [event.payload for event in manager.events if event.kind is Kind.FAILED]
    assert code is ExitCode.NO_DATA
    assert (failure.reason, failure.hint, failure.where) == (
        "the cake is gone",
        "bake one",
        "oven.py:3",
    )
    assert failure.exit_code == ExitCode.NO_DATA


def test_a_bug_is_reported_with_the_last_lines(settings, manager):
    def work(_reporter):
        raise ZeroDivisionError("oh")

    code = run_one_shot(settings, work)

    failure = manager.events[-1].payload
    assert code is ExitCode.BUG
    assert "ZeroDivisionError" in failure.last_lines[-1]


def test_a_result_that_nobody_confirms_waits_at_the_broker(broker):
    settings = settings_for(broker, FLOPS_ACKNOWLEDGE_TIMEOUT_SECONDS="0.3")

    code = run_one_shot(settings, lambda _: (Kind.MODEL_BUILT, ModelBuilt("image")))

    with ListeningManager(broker) as late:
        until(lambda: any(event.kind is Kind.MODEL_BUILT for event in late.events))
    assert code is ExitCode.NOT_ACKNOWLEDGED


def test_without_a_broker_it_ends_within_the_timeout(broker):
    settings = settings_for(
        broker,
        FLOPS_MQTT_URL=f"mqtt://127.0.0.1:{free_port()}",
        FLOPS_MQTT_CONNECT_TIMEOUT_SECONDS="0.5",
    )

    code = run_one_shot(settings, lambda _: (Kind.MODEL_BUILT, ModelBuilt("image")))

    assert code is ExitCode.BROKER_UNREACHABLE


def test_wrong_credentials_are_an_error(broker):
    settings = MqttSettings(broker.url, "wrong", connect_timeout_seconds=1)

    with pytest.raises(BrokerUnreachableError):
        MqttConnection(settings, "stranger").connect()


SLOW = """
import os, sys, threading
from flops_contracts.roles import Role
from flops_runtime.environment import read
from flops_runtime.one_shot import exit_with, run_one_shot
from flops_runtime.settings import ActorSettings
def work(reporter):
    reporter.status.doing("waiting for godot", 1, 3)
    reporter.status.ready()
    print("working", flush=True)
    threading.Event().wait()
def run():
    return run_one_shot(read(ActorSettings, os.environ, role=Role.BUILDER), work)
exit_with(run)
"""


@pytest.fixture
def slow_process(broker, manager):
    port = free_port()
    environment = {
        **os.environ,
        **broker.environment,
        "FLOPS_INSTANCE": "bld2",
        "FLOPS_PROJECT_ID": "slow",
        "FLOPS_STAGE": "building_actors",
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        "FLOPS_STATUS_PORT": str(port),
    }
    argv = [sys.executable, "-c", SLOW]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "working\n"
        yield process, port
        process.kill()


def test_the_status_api_says_what_is_being_done(slow_process):
    _, port = slow_process

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=120) as answer:
        status = json.load(answer)

    assert status["state"] == "waiting for godot"
    assert (status["done"], status["total"], status["ready"]) == (1, 3, True)


@pytest.mark.parametrize("page", ["healthz", "readyz", "metrics"])
def test_the_status_api_has_the_pages_that_operators_expect(slow_process, page):
    _, port = slow_process

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=120) as answer:
        assert answer.status == 200


def test_sigterm_ends_it_cleanly(slow_process):
    process, _ = slow_process

    process.send_signal(signal.SIGTERM)

    assert process.wait(300) == ExitCode.TERMINATED


def test_missing_settings_are_printed_and_not_traced():
    result = subprocess.run(
        [sys.executable, "-c", SLOW.replace("os.environ", "{}")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == ExitCode.BAD_SETTINGS
    assert "FLOPS_PROJECT_ID is missing" in result.stderr
    assert "Traceback" not in result.stderr
