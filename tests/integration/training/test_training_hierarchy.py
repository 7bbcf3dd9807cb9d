"""Clusters over real gRPC on loopback, in threads: failures of lines and the order of ending."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from flops_aggregator.rounds.cluster import Cluster
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.strategies import build_strategy
from flops_aggregator.rounds.supervision import SupervisedStrategy
from flops_grid.client.app import serve_client_app
from flops_grid.client.link import Ended, Link, Peer
from flops_grid.errors import LearnerError
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.settings import GridSettings, LinkSettings
from support.answers import answers
from support.breakable_line import BreakableLine
from support.federation import MemoryRuns, MemoryWatch, a_training
from support.waiting import until

TOKEN = "for-this-test"
QUICK_GRID = GridSettings(grace_seconds=0.5, keepalive_seconds=1)
QUICK_LINK = LinkSettings(
    unreachable_seconds=20, duplicate_seconds=5, keepalive_seconds=1, first_pause_seconds=0.05
)


@dataclass
class Learner:
    """Adds ``add`` to the parameters, as soon as it may."""

    add: float = 1.0
    fits: int = 0
    may_end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        self.may_end.set()

    def client_app(self):
        app = ClientApp()
        app.train()(self._train)
        app.evaluate()(self._evaluate)
        return app

    def _train(self, message, _context):
        self.fits += 1
        self.may_end.wait(30)
        arrays = [array + self.add for array in message.content["arrays"].to_numpy_ndarrays()]
        metrics = MetricRecord({"num-examples": 10, "fit-seconds": 0.1})
        return Message(
            RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message
        )

    def _evaluate(self, message, _context):
        numbers = {"num-examples": 10, "loss": self.add, "accuracy": 0.5, "evaluate-seconds": 0.1}
        return Message(RecordDict({"metrics": MetricRecord(numbers)}), reply_to=message)


@dataclass
class Level:
    """An aggregator of the tree: its grid, and what serves its parent if it has one."""

    grid: StreamGrid
    watch: MemoryWatch = field(default_factory=MemoryWatch)
    end: object = None


@dataclass
class Tree:
    """Starts aggregators and learners; everything ends with the root's grid."""

    threads: ThreadPoolExecutor
    levels: list[Level] = field(default_factory=list)

    def root(self):
        return self._listen()

    def cluster(self, name, port, **changes):
        """Start the aggregator ``name`` that serves the parent at ``port``."""
        level = self._listen()
        training = a_training(round_timeout_seconds=20.0, **changes)
        cluster = Cluster(training, name, level.grid, level.watch, MemoryRuns())
        peer = Peer(f"127.0.0.1:{port}", name, TOKEN, aggregates=True)
        link = Link(peer, QUICK_LINK, news=cluster.call_off_if_superseded)
        level.end = self.threads.submit(self._serve, cluster, link, level.grid)
        return level

    def learner(self, name, level, learner):
        address = f"127.0.0.1:{level.grid.port}"
        arguments = (learner.client_app(), address, name, TOKEN, QUICK_LINK)
        end = self.threads.submit(serve_client_app, *arguments)
        level.grid.wait_for_learners(1, 10)
        return end

    def close(self):
        for level in self.levels:
            level.grid.close()

    def _listen(self):
        level = Level(StreamGrid("127.0.0.1:0", TOKEN, QUICK_GRID))
        level.grid.start()
        self.levels.append(level)
        return level

    @staticmethod
    def _serve(cluster, link, grid):
        try:
            return cluster.serve(link)
        finally:
            grid.close("the parent has ended")


@pytest.fixture
def tree():
    with ThreadPoolExecutor(16) as threads:
        running = Tree(threads)
        yield running
        running.close()


def train(level, rounds, **changes):
    """Run the root's cycles; return its last arrays and its watch."""
    training = a_training(rounds=rounds, return_timeout_seconds=10.0, **changes)
    inner = build_strategy(training)
    strategy = SupervisedStrategy(inner, training, level.grid, level.watch, Place())
    result = strategy.start(
        grid=level.grid,
        initial_arrays=ArrayRecord([np.zeros(3)]),
        num_rounds=rounds,
        timeout=training.round_timeout_seconds,
    )
    return result.arrays.to_numpy_ndarrays()


def a_train_message(level):
    (node_id,) = level.grid.get_node_ids()
    content = RecordDict({"arrays": ArrayRecord([np.zeros(1)]), "config": ConfigRecord()})
    return level.grid.create_message(content, MessageType.TRAIN, node_id, "")


def test_three_levels_train_together_and_end_with_the_root(tree):
    root = tree.root()
    middle = tree.cluster("middle", root.grid.port, rounds=2)
    leaf = tree.cluster("leaf", middle.grid.port, rounds=3)
    learner = tree.learner("learner", leaf, Learner())
    middle.grid.wait_for_learners(1, 10)
    root.grid.wait_for_learners(1, 10)

    (result,) = train(root, rounds=2)
    root.grid.close()

    np.testing.assert_allclose(result, 2 * 2 * 3)
    assert middle.end.result(300) == Ended("")
    assert [leaf.end.result(300), learner.result(300)] == [Ended("the parent has ended")] * 2
    until(lambda: not [item for item in threading.enumerate() if item.name.startswith("grid")])


def test_a_cluster_that_is_cut_off_costs_its_cycle_and_joins_again(tree):
    root = tree.root()
    line = BreakableLine(root.grid.port)
    line.start()
    slow = Learner(add=5.0)
    north = tree.cluster("north", root.grid.port)
    south = tree.cluster("south", line.port)
    tree.learner("one", north, Learner(add=1.0))
    tree.learner("two", south, slow)
    root.grid.wait_for_learners(2, 10)
    slow.may_end.clear()

    first = tree.threads.submit(train, root, rounds=1)
    until(lambda: slow.fits == 1)
    line.is_down = True
    line.cut()
    (result,) = first.result(300)
    line.is_down = False
    slow.may_end.set()
    root.grid.wait_for_learners(2, 15)
    (again,) = train(root, rounds=1)
    root.grid.close()
    line.close()

    np.testing.assert_allclose([result[0], again[0]], [1.0, 3.0])
    rows = [{row.learner: row.error for row in item.learners} for item in root.watch.completed]
    assert "south is gone" in rows[0]["south"]
    assert rows[1] == {"north": "", "south": ""}


def test_a_round_ends_with_the_first_answers_and_who_was_late_joins_the_next(tree):
    root = tree.root()
    slow = Learner(add=9.0)
    for name, learner in (("one", Learner()), ("two", Learner()), ("slow", slow)):
        tree.learner(name, root, learner)
    root.grid.wait_for_learners(3, 10)
    slow.may_end.clear()

    (result,) = train(root, rounds=1, take_first=2, min_fit=2)
    slow.may_end.set()
    (again,) = train(root, rounds=1, min_fit=3)
    root.grid.close()

    np.testing.assert_allclose([result[0], again[0]], [1.0, 11 / 3])
    first, second = root.watch.completed
    assert [row.learner for row in first.learners if row.is_surplus] == ["slow"]
    assert not any(row.error for row in (*first.learners, *second.learners))
    assert not any(row.is_surplus for row in second.learners)


def test_a_cycle_ends_with_the_first_clusters_and_each_with_its_first_learners(tree):
    root = tree.root()
    late, slow = Learner(add=9.0), Learner(add=5.0)
    north = tree.cluster("north", root.grid.port, take_first=1)
    south = tree.cluster("south", root.grid.port)
    tree.learner("one", north, Learner())
    tree.learner("late", north, late)
    tree.learner("two", south, slow)
    north.grid.wait_for_learners(2, 10)
    root.grid.wait_for_learners(2, 10)
    late.may_end.clear()
    slow.may_end.clear()

    (result,) = train(root, rounds=1, take_first=1)
    late.may_end.set()
    slow.may_end.set()
    root.grid.close()

    np.testing.assert_allclose(result, 1.0)
    assert [row.learner for row in root.watch.completed[0].learners if row.is_surplus] == ["south"]
    assert [row.learner for row in north.watch.completed[0].learners if row.is_surplus] == ["late"]


def test_what_the_parent_no_longer_waits_for_is_dropped_for_what_it_wants_now(tree):
    root = tree.root()
    slow = Learner()
    cluster = tree.cluster("north", root.grid.port)
    tree.learner("one", cluster, slow)
    root.grid.wait_for_learners(1, 10)
    slow.may_end.clear()

    given_up = list(root.grid.send_and_receive([a_train_message(root)], timeout=1))
    second = tree.threads.submit(answers, root.grid, [a_train_message(root)], timeout=120)
    until(lambda: len(cluster.watch.started) == 2, what="the second request's round begins")
    slow.may_end.set()

    assert given_up == []
    assert second.result(300)[0].has_content()
    assert len(cluster.watch.completed) == 1


def test_a_parent_that_ends_ends_a_cluster_in_the_middle_of_a_round(tree):
    root = tree.root()
    slow = Learner()
    cluster = tree.cluster("north", root.grid.port)
    learner = tree.learner("one", cluster, slow)
    root.grid.wait_for_learners(1, 10)
    slow.may_end.clear()
    waiting = tree.threads.submit(answers, root.grid, [a_train_message(root)], timeout=120)
    until(lambda: slow.fits == 1)

    root.grid.close("cancelled")

    assert cluster.end.result(300) == Ended("cancelled")
    slow.may_end.set()
    assert learner.result(300).reason == "the parent has ended"
    waiting.result(300)


def test_a_cluster_whose_parent_stays_away_ends_its_learners_too(tree):
    root = tree.root()
    line = BreakableLine(root.grid.port)
    line.start()
    level = tree._listen()
    cluster = Cluster(a_training(), "north", level.grid, level.watch, MemoryRuns())
    impatient = LinkSettings(unreachable_seconds=0.5, first_pause_seconds=0.05)
    link = Link(
        Peer(f"127.0.0.1:{line.port}", "north", TOKEN),
        impatient,
        news=cluster.call_off_if_superseded,
    )
    learner = tree.learner("one", level, Learner())
    end = tree.threads.submit(tree._serve, cluster, link, level.grid)
    root.grid.wait_for_learners(1, 10)

    line.is_down = True
    line.cut()

    assert "no aggregator at" in str(end.exception(20))
    assert learner.result(300) == Ended("the parent has ended")
    line.close()


def test_an_error_of_a_learner_names_its_cluster_over_the_wire(tree):
    root = tree.root()
    cluster = tree.cluster("munich", root.grid.port, return_timeout_seconds=5.0)
    broken = ClientApp()

    @broken.train()
    def train_(_message, _context):
        raise ValueError("no rows")

    address = f"127.0.0.1:{cluster.grid.port}"
    tree.threads.submit(serve_client_app, broken, address, "lrn1", TOKEN, QUICK_LINK)
    root.grid.wait_for_learners(1, 10)

    (reply,) = root.grid.send_and_receive([a_train_message(root)], timeout=20)

    error = LearnerError.from_text(reply.error.reason)
    assert (error.origin, error.origin_cluster, error.round) == ("lrn1", "munich", 1)
    assert "unexpected ValueError: no rows" in error.reason
