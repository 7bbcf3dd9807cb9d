"""The observer as a process, between a real broker and its readers."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
import uuid

import pytest

from flops_contracts.events import Kind, Notice
from flops_contracts.topics import project_topics
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings
from support.broker import PASSWORD, free_port, running_broker
from support.observed import a_message
from support.waiting import until


@pytest.fixture(scope="module")
def broker():
    with running_broker() as running:
        yield running


@pytest.fixture
def project_id():
    return uuid.uuid4().hex[:12]


@pytest.fixture
def publisher(broker):
    settings = MqttSettings(broker.url, PASSWORD)
    with MqttConnection(settings, f"test-{uuid.uuid4().hex[:6]}") as connection:
        yield connection


class RunningObserver:
    def __init__(self, variables):
        self.port = int(variables["FLOPS_PAGES_PORT"])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flops_project_observer"],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            text=True,
        )

    def get(self, path):
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=120) as answer:
            return answer.read().decode()

    def lines(self):
        return [event["line"] for event in json.loads(self.get("/api/events"))["events"]]


@pytest.fixture
def observer(broker, project_id):
    running = RunningObserver(
        {
            "FLOPS_INSTANCE": "obsx1",
            "FLOPS_PROJECT_ID": project_id,
            "FLOPS_STAGE": "submitted",
            "FLOPS_BIND_ADDRESS": "127.0.0.1",
            "FLOPS_STATUS_PORT": "0",
            "FLOPS_PAGES_PORT": str(free_port()),
            **broker.environment,
        }
    )
    running.process.stdout.readline()  # it follows the project once it says so
    yield running
    running.process.kill()
    running.process.wait(300)
    running.process.stdout.close()


def test_events_are_printed_and_served(observer, publisher, project_id):
    message = a_message(Kind.NOTICE, Notice("hello"), project_id)

    publisher.publish(project_topics(project_id).events, message)

    until(lambda: observer.lines() == ["06:07:08Z manager: notice: hello"])
    assert observer.process.stdout.readline() == "06:07:08Z manager: notice: hello\n"


def test_results_are_followed_too(observer, publisher, project_id):
    message = a_message(Kind.NOTICE, Notice("a result"), project_id)

    publisher.publish(project_topics(project_id).result("bld1"), message, retain=True)

    until(observer.lines, what="the result arrives")


def test_a_message_delivered_twice_is_served_once(observer, publisher, project_id):
    message = a_message(Kind.NOTICE, Notice("twice"), project_id)
    other = a_message(Kind.NOTICE, Notice("the end"), project_id)
    topic = project_topics(project_id).events

    for published in (message, message, other):
        publisher.publish(topic, published)

    until(lambda: "06:07:08Z manager: notice: the end" in observer.lines())
    assert len(observer.lines()) == 2


def test_the_story_is_a_page_of_text(observer, publisher, project_id):
    publisher.publish(
        project_topics(project_id).events, a_message(Kind.NOTICE, Notice("hi"), project_id)
    )

    until(lambda: "notice: hi" in observer.get("/"))


def test_it_ends_cleanly_when_asked_to(observer):
    observer.process.send_signal(signal.SIGTERM)

    assert observer.process.wait(300) == 0


def test_without_a_broker_it_says_so():
    variables = {
        "FLOPS_INSTANCE": "obsx1",
        "FLOPS_PROJECT_ID": "p1",
        "FLOPS_STAGE": "submitted",
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        "FLOPS_STATUS_PORT": "0",
        "FLOPS_PAGES_PORT": str(free_port()),
        "FLOPS_MQTT_URL": f"mqtt://127.0.0.1:{free_port()}",
        "FLOPS_MQTT_CONNECT_TIMEOUT_SECONDS": "1",
    }

    ended = subprocess.run(
        [sys.executable, "-m", "flops_project_observer"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 40
    assert "no connection to the MQTT broker" in ended.stdout
