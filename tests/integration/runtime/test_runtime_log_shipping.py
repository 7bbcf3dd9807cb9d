"""The log lines of an actor reach the manager's store: real broker, real processes."""

import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from flops_contracts.api.queries import LogQuery
from flops_contracts.events import Actor
from flops_contracts.log_lines import MOST_LINES
from flops_contracts.roles import Role
from flops_manager.adapters.mqtt_logs import MqttLogFeed
from flops_manager.ports.stores import Record
from flops_manager.usecases.kept_logs import KeptLogs, LogIntake, LogLimits
from flops_runtime.environment import read
from flops_runtime.log_shipping import WAITING_LINES, LogShipper
from flops_runtime.logs import LogContext
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import ActorSettings, MqttSettings
from support.broker import PASSWORD, running_broker
from support.manager_core import NOW, a_project
from support.memory.logs import MemoryLogStore
from support.memory.stores import memory_projects
from support.waiting import until

PROGRAM = """
import logging, os, threading
from flops_contracts.roles import Role
from flops_runtime.environment import read
from flops_runtime.logs import CONTEXT
from flops_runtime.one_shot import run_one_shot
from flops_runtime.settings import ActorSettings

def work(reporter):
    reporter.status.training(round_=3)
    logging.getLogger("flops_aggregator").warning("about to be killed")
    threading.Event().wait(60)

run_one_shot(read(ActorSettings, os.environ, role=Role.AGGREGATOR), work)
"""


@pytest.fixture(scope="module")
def broker():
    with running_broker() as running:
        yield running


@pytest.fixture
def logs(broker):
    """Return a manager's logs, which it receives from the broker."""
    projects = memory_projects()
    projects.add(Record(a_project("p1")))
    stores = dict.fromkeys((Role.AGGREGATOR, Role.BUILDER), projects)
    logs = KeptLogs(MemoryLogStore(), stores, LogLimits(), lambda: NOW)
    intake = LogIntake(MqttLogFeed(MqttSettings(broker.url, PASSWORD)), logs)
    intake.open()
    yield logs
    intake.close()


@pytest.fixture
def shipper(broker):
    """Return what ships the log of a builder that is connected to the broker."""
    with MqttConnection(MqttSettings(broker.url, PASSWORD), os.urandom(4).hex()) as connection:
        variables = {
            "FLOPS_INSTANCE": "bld1",
            "FLOPS_PROJECT_ID": "p1",
            "FLOPS_STAGE": "training",
            **broker.environment,
        }
        settings = read(ActorSettings, variables, role=Role.BUILDER)
        shipper = LogShipper(settings, connection, context=LogContext())
        with closing(shipper):
            yield shipper


def lines(logs, **query):
    return logs.read("p1", LogQuery(**{"after": 0, "limit": 1000, **query})).lines


def test_the_lines_of_an_actor_that_is_killed_are_there(logs, broker):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "FLOPS_INSTANCE": "agg1",
        "FLOPS_PROJECT_ID": "p1",
        "FLOPS_NODE": "n1",
        "FLOPS_STAGE": "training",
        "FLOPS_STATUS_PORT": "0",
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        **broker.environment,
    }
    actor = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment)
    try:
        until(lambda: lines(logs, text="about to be killed"), 30, "the line")
    finally:
        actor.send_signal(signal.SIGKILL)
        actor.wait(300)

    (line,) = lines(logs, actor="agg1", level="WARNING", round=3)
    assert line.actor == Actor(Role.AGGREGATOR, "agg1", "", "n1")


def test_a_flood_is_bounded_holds_nobody_up_and_says_what_is_missing(logs, shipper):
    shipper.start()
    logger = logging.getLogger("flood")
    logger.setLevel(logging.INFO)

    for number in range(100_000):
        logger.info("line %d", number)
    assert len(shipper._lines) <= WAITING_LINES
    shipper.flush_to_manager(10)

    until(lambda: lines(logs, text="line 99999"), 20, "the last line")
    arrived = lines(logs, limit=100_000, actor="bld1")
    left_out = sum(shown.left_out for shown in arrived)
    assert len(arrived) + left_out + arrived[0].line.number - 1 == arrived[-1].line.number
    assert len(arrived) > MOST_LINES


def test_what_is_held_leaves_when_that_is_decided(logs, shipper):
    shipper._is_held = True
    shipper.start()
    logging.getLogger("held").warning("a row of data")
    shipper.flush_to_manager(2)
    assert lines(logs, text="a row") == ()

    shipper.decide(may_leave=True)
    shipper.flush_to_manager(5)
    until(lambda: lines(logs, text="a row"), 10, "the line")


def test_what_may_not_leave_never_does(logs, shipper):
    shipper._is_held = True
    shipper.start()
    logging.getLogger("held").warning("a secret row")
    shipper.decide(may_leave=False)
    logging.getLogger("held").warning("another secret row")
    shipper.flush_to_manager(2)

    assert lines(logs, text="secret") == ()
    assert list(shipper._lines) == []


def test_nothing_leaves_while_it_is_being_decided(logs, shipper):
    shipper._is_held = True
    shipper.start()
    logger = logging.getLogger("race")
    stop = threading.Event()

    def send():
        while not stop.is_set():
            shipper._send_all()

    sender = threading.Thread(target=send)
    sender.start()
    for number in range(500):
        logger.warning("private %d", number)
    shipper.decide(may_leave=False)
    logger.warning("private to the end")
    stop.set()
    sender.join()

    assert lines(logs, text="private") == ()


def test_logging_from_many_threads_numbers_each_line_once(logs, shipper):
    shipper.start()
    logger = logging.getLogger("many")

    def log():
        for number in range(50):
            logger.warning("many %d", number)

    threads = [threading.Thread(target=log) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shipper.flush_to_manager(10)

    until(lambda: len(lines(logs, text="many")) == 400, 20, "all lines")
    numbers = [shown.line.number for shown in lines(logs, text="many")]
    assert len(set(numbers)) == 400
