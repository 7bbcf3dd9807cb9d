"""The order of turns among many senders."""

import threading

import pytest

from flops_ml_data_server.transfers.turns import PATIENCE_SECONDS, Turns
from support.waiting import until


class Clock:
    """Stands still unless it is moved."""

    def __init__(self):
        self.seconds = 1.0

    def __call__(self):
        return self.seconds


class Sender(threading.Thread):
    """Keeps its turn until the test ends it."""

    def __init__(self, turns, order):
        super().__init__(daemon=True)
        self._turns, self._order = turns, order
        self.has_turn, self.may_end = threading.Event(), threading.Event()
        self.start()

    def run(self):
        with self._turns.turn() as turn:
            self.turn = turn
            self._order.append(self)
            self.has_turn.set()
            self.may_end.wait(30)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def turns(clock):
    return Turns(2, clock)


@pytest.fixture
def start(turns):
    """Start senders one after the other; all end with the test."""
    order, started = [], []

    def one():
        before = len(order) + len(turns._line)
        started.append(Sender(turns, order))
        until(lambda: len(order) + len(turns._line) > before, what="it has a turn, or waits")
        return started[-1]

    yield one
    for sender in started:
        sender.may_end.set()
    for sender in started:
        sender.join(300)
        assert not sender.is_alive()


def test_no_more_than_allowed_have_a_turn_and_the_others_come_in_order(start):
    first, second, third, fourth = (start() for _ in range(4))
    until(lambda: first.has_turn.is_set() and second.has_turn.is_set())
    assert not third.has_turn.wait(5 * PATIENCE_SECONDS)

    first.may_end.set()

    assert third.has_turn.wait(300)
    assert not fourth.has_turn.wait(5 * PATIENCE_SECONDS)


def test_a_sender_that_is_silent_keeps_nobody_waiting(start, clock):
    silent, _busy, waiting = start(), start(), start()
    until(silent.has_turn.is_set)
    with silent.turn.reading():
        assert not waiting.has_turn.wait(5 * PATIENCE_SECONDS)

        clock.seconds += 2 * PATIENCE_SECONDS

        assert waiting.has_turn.wait(300)


def test_a_sender_that_is_packed_is_busy_however_long_that_takes(start, clock):
    packed, _busy, waiting = start(), start(), start()
    until(packed.has_turn.is_set)
    with packed.turn.reading():
        pass
    clock.seconds += 0.9

    assert not waiting.has_turn.wait(5 * PATIENCE_SECONDS)


def test_one_more_has_a_turn_for_each_second_that_the_first_has_waited(start, clock):
    _busy, _other, third, fourth = (start() for _ in range(4))
    assert not third.has_turn.wait(5 * PATIENCE_SECONDS)

    clock.seconds += 1
    assert third.has_turn.wait(300)
    assert not fourth.has_turn.wait(5 * PATIENCE_SECONDS)

    clock.seconds += 1
    assert fourth.has_turn.wait(300)


def test_a_turn_ends_with_an_error(turns):
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), turns.turn():
            raise ValueError("broken")

    with turns.turn():
        pass
