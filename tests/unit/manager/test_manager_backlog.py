"""A manager that is behind with its messages knows it, and takes no actor for silent then."""

import math

import pytest

from flops_manager.adapters.backlog import Backlog


class HandClock:
    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return HandClock()


def take(backlog, clock, count, work, rest):
    for _ in range(count):
        clock.time += rest
        with backlog.working():
            clock.time += work


def test_who_has_rest_between_messages_is_in_time(clock):
    backlog = Backlog(clock)

    take(backlog, clock, count=1000, work=0.05, rest=0.05)

    assert backlog.seconds_in_time() == math.inf


def test_who_works_without_rest_is_behind(clock):
    backlog = Backlog(clock)

    take(backlog, clock, count=100, work=0.2, rest=0.001)

    assert backlog.seconds_in_time() == 0


def test_time_is_counted_from_the_end_of_the_queue(clock):
    backlog = Backlog(clock)
    take(backlog, clock, count=100, work=0.2, rest=0.001)

    take(backlog, clock, count=12, work=0.1, rest=0.9)

    assert 11 < backlog.seconds_in_time() < 13


def test_a_message_that_takes_long_is_a_queue_already(clock):
    backlog = Backlog(clock)

    with backlog.working():
        clock.time += 6

        assert backlog.seconds_in_time() == 0
