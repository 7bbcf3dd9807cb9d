"""A learner behind a line that breaks: work and results survive it, and nothing runs twice."""

import threading
from dataclasses import dataclass, field

import pytest
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp

from flops_grid.errors import AggregatorUnreachableError
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.settings import GridSettings
from support.answers import answers
from support.breakable_line import BreakableLine
from support.broker import free_port
from support.peers import TOKEN, a_message, join
from support.waiting import until


@dataclass
class SlowApp:
    """An app whose training waits until it may end, and counts how often it ran."""

    fits: list[str] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def client_app(self):
        app = ClientApp()
        app.train()(self._train)
        return app

    def _train(self, message, _context):
        self.fits.append(message.metadata.message_id)
        self.began.set()
        self.may_end.wait(20)
        return Message(RecordDict(), reply_to=message)


@pytest.fixture
def grid(presences, threads):
    settings = GridSettings(grace_seconds=10, keepalive_seconds=1)
    with StreamGrid("127.0.0.1:0", TOKEN, settings, watch=presences.append) as running:
        yield running


@pytest.fixture
def line(grid):
    breakable = BreakableLine(grid.port)
    breakable.start()
    yield breakable
    breakable.close()


@pytest.fixture
def app():
    slow = SlowApp()
    yield slow
    slow.may_end.set()


def test_a_result_computed_while_the_line_was_cut_arrives_and_nothing_runs_twice(
    grid, line, app, threads, presences
):
    join(threads, line.port, "one", app=app.client_app())
    grid.wait_for_learners(1, 10)
    answer = threads.submit(answers, grid, [a_message(grid, "one")], timeout=120)
    app.began.wait(300)

    line.cut()
    until(lambda: len(presences) == 3, what="joined, left, joined again")
    app.may_end.set()

    assert answer.result(300)[0].has_content()
    assert len(app.fits) == 1
    grid.close()


def test_work_that_was_sent_while_the_learner_was_away_reaches_it_when_it_is_back(
    grid, line, app, threads, presences
):
    app.may_end.set()
    join(threads, line.port, "one", app=app.client_app())
    grid.wait_for_learners(1, 10)
    line.cut()
    until(lambda: len(presences) >= 2, what="joined, left")

    (reply,) = grid.send_and_receive([a_message(grid, "one")], timeout=15)

    assert reply.has_content()
    grid.close()


def test_a_frozen_learner_is_noticed_within_seconds(grid, line, app, threads, presences):
    join(threads, line.port, "one", app=app.client_app())
    grid.wait_for_learners(1, 10)

    line.freeze()

    until(lambda: not presences[-1].is_present, timeout_seconds=8)
    line.close()
    app.may_end.set()
    grid.close()


def test_a_learner_gives_up_when_nobody_answers_for_too_long(app, threads):
    end = join(threads, free_port(), "one", app=app.client_app())

    with pytest.raises(AggregatorUnreachableError, match="for 3 s"):
        end.result(300)


def test_a_learner_that_leaves_is_missed_at_once(grid, line, threads, presences):
    leaving = ClientApp()

    @leaving.train()
    def train(_message, _context):
        raise SystemExit("I have to go")

    end = join(threads, line.port, "one", app=leaving)
    grid.wait_for_learners(1, 10)

    (reply,) = grid.send_and_receive([a_message(grid, "one")], timeout=5)

    assert "I have to go" in reply.error.reason
    with pytest.raises(SystemExit):
        end.result(300)


def test_a_transfer_that_is_cut_goes_on_where_it_was(grid, line, threads):
    end = join(threads, line.port, "one")
    grid.wait_for_learners(1, 10)
    answer = threads.submit(answers, grid, [a_message(grid, "one", 10_000_000)], timeout=120)
    until(lambda: grid.moved().down > 20_000_000, what="half of it went down")

    line.cut()

    assert answer.result(300)[0].has_content()
    # What was under way when the line was cut is sent again, not the half that had arrived.
    assert grid.moved().down < 50_000_000
    grid.close()
    end.result(300)
