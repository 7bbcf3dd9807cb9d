"""Rounds and models for a tracking server that is away for a while."""

import threading
import time
from types import SimpleNamespace

import pytest

from flops_aggregator.settings import TrackingSettings
from flops_aggregator.tracking.background import Background
from flops_aggregator.tracking.backlog import Backlog, Entry
from flops_aggregator.tracking.mlflow_server import MlflowServer
from flops_aggregator.tracking.mlflow_tracking import MlflowTracking
from flops_aggregator.tracking.publishing import BestModel, Publishing, published
from flops_aggregator.tracking.run_finder import end_children
from flops_contracts.events import RoundCompleted
from flops_contracts.sla import Flavor
from support.waiting import until

pytest.importorskip("mlflow")

SETTINGS = TrackingSettings(
    "http://127.0.0.1:9", "project", "model", Flavor.SKLEARN, "file:///r", "c0ffee", 0.05
)
BEST = BestModel(object(), round=1, rounds=1, loss=0.1, accuracy=0.9)


class Server:
    """Some of mlflow's client; the calls named in ``away`` fail, each as often as it says."""

    def __init__(self, **away):
        self.away = away
        self.steps = []
        self.samples = []
        self.versions = []
        self.tags = {}
        self.ended = ""

    def _may_fail(self, call):
        if self.away.get(call, 0) > 0:
            self.away[call] -= 1
            raise ConnectionRefusedError("nobody listens")

    def log_batch(self, _run_id, metrics):
        self._may_fail("log_batch")
        self.steps += [metric.step for metric in metrics if metric.key == "round_seconds"]
        self.samples += [metric.step for metric in metrics if metric.key.startswith("system/")]

    def get_run(self, _run_id):
        return None

    def search_model_versions(self, _filter, max_results):
        return self.versions[:max_results]

    def set_registered_model_alias(self, *_):
        self._may_fail("alias")

    def log_metric(self, *_, **__):
        pass

    def set_tag(self, _run_id, key, value):
        self._may_fail("tag")
        self.tags[key] = value

    def set_terminated(self, _run_id, status):
        self.ended = status

    def search_runs(self, _experiments, _filter):
        return [SimpleNamespace(info=SimpleNamespace(run_id="child"))]


def a_round(number):
    return RoundCompleted(number, 5, loss=0.5, accuracy=0.5, seconds=1.0)


def a_tracking(server, pause_seconds=0.0):
    tracking = MlflowTracking(SETTINGS, pause_seconds=pause_seconds)
    tracking._server.client = server
    tracking._run_id = "r"
    return tracking


def test_samples_of_the_machine_are_written_whatever_rounds_there_are_already():
    server = Server(log_batch=1)
    backlog = Backlog(MlflowServer("http://127.0.0.1:9", 0.05))
    backlog._server.client = server
    backlog.rounds = {1, 2}
    for step in (1, 2, 3):
        backlog.add(Entry(0, step, {"round_seconds": 1.0}))
        backlog.add(Entry(0, step, {"system/disk_usage_megabytes": 1.0}, is_round=False))

    backlog.write("r")

    assert server.steps == [3]
    assert server.samples == [1, 2, 3]


def test_rounds_that_mlflow_missed_are_written_in_order_when_it_is_back():
    server = Server(log_batch=10_000)
    tracking = a_tracking(server)
    tracking.record_round(a_round(1))
    tracking.record_round(a_round(2))
    tracking._background.submit(lambda: None).result(300)

    server.away.clear()
    tracking.record_round(a_round(3))
    tracking._background.submit(lambda: None).result(300)

    assert server.steps == [1, 2, 3]


def test_a_round_that_is_in_the_run_already_is_not_written_twice():
    server = Server()
    tracking = a_tracking(server)
    tracking._backlog.rounds = {1}

    tracking.record_round(a_round(1))
    tracking.record_round(a_round(2))
    tracking._background.submit(lambda: None).result(300)

    assert server.steps == [2]


@pytest.mark.parametrize("call", ["alias", "tag"])
def test_a_server_that_dies_in_the_middle_of_publishing_gets_one_version(call):
    server = Server(**{call: 1})
    server.versions = [SimpleNamespace(version=1, model_id="m-1")]
    mlflow_server = MlflowServer("http://127.0.0.1:9", 0.05)
    mlflow_server.client = server

    trained = Publishing(mlflow_server, SETTINGS, "e", "r").publish(BEST)

    assert (trained.model_version, trained.model_uri) == ("1", "models:/model/1")
    assert published(server.tags) == trained
    assert server.ended == "FINISHED"


def test_of_what_is_to_be_done_soon_only_one_waits():
    done = []
    background = Background("test", pause_seconds=0)
    gate = background.submit(lambda: done.append("first"))
    gate.result(300)

    def block_and_ask():
        [background.soon("save", lambda: done.append("save")) for _ in range(3)]

    background.submit(block_and_ask).result(300)
    background.submit(lambda: None).result(300)

    assert done == ["first", "save"]


def test_what_is_asked_for_again_and_again_is_done_at_once_and_then_after_a_pause():
    done = []
    background = Background("test", pause_seconds=0.3)
    began = time.monotonic()

    def ask_and_count():
        background.soon("save", lambda: done.append(time.monotonic() - began))
        return len(done) == 3

    until(ask_and_count, what="it was done three times")

    assert done[1] >= 0.3
    assert done[2] >= 0.6


def test_what_waits_for_its_pause_is_not_done_after_the_end():
    done = []
    background = Background("test", pause_seconds=60)
    background.soon("save", lambda: done.append("once"))
    background.submit(lambda: None).result(300)
    background.soon("save", lambda: done.append("twice"))

    background.close()

    assert done == ["once"]
    until(lambda: not [item for item in threading.enumerate() if isinstance(item, threading.Timer)])


def test_the_rounds_that_wait_are_written_when_a_training_fails():
    server = Server()
    tracking = a_tracking(server, pause_seconds=60)
    for number in (1, 2, 3):
        tracking.record_round(a_round(number))

    tracking.close()

    assert server.steps == [1, 2, 3]
    assert server.ended == "KILLED"


def test_the_run_of_a_cluster_that_was_lost_is_ended_with_its_parents():
    mlflow_server = MlflowServer("http://127.0.0.1:9", 0.05)
    mlflow_server.client = server = Server()

    end_children(mlflow_server, "e", "r")

    assert server.ended == "KILLED"
