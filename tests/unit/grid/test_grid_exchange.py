"""Connections, pending messages and replies: the grid's state without its network."""

import pytest
from flwr.app import Message, RecordDict

from flops_grid.errors import CalledOffError
from flops_grid.messages.flower_internals import take_identity
from flops_grid.server.connections import Acknowledge, Goodbye, node_id_of
from flops_grid.server.exchange import Exchange, NameTakenError


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def presences():
    return []


@pytest.fixture
def exchange(clock, presences):
    return Exchange(grace_seconds=10, watch=presences.append, clock=clock)


def a_message(name="one"):
    return Message(RecordDict(), node_id_of(name), "train")


def queued(seat):
    items = []
    while not seat.outbox.empty():
        items.append(seat.outbox.get())
    return items


def test_a_message_reaches_the_seat_of_its_learner(exchange):
    seat, other = exchange.join("one", "s1"), exchange.join("two", "s2")
    message = a_message("one")

    exchange.send([message])

    assert (queued(seat), queued(other)) == ([message], [])


def test_a_reply_is_taken_once_and_acknowledged(exchange):
    seat = exchange.join("one", "s1")
    ids = exchange.send([a_message()])
    (message,) = queued(seat)

    exchange.answer(seat, Message(RecordDict(), reply_to=message))

    assert len(exchange.take(ids)) == 1
    assert exchange.take(ids) == []
    assert queued(seat) == [Acknowledge(ids[0])]


def test_a_second_reply_to_the_same_message_is_dropped(exchange):
    seat = exchange.join("one", "s1")
    ids = exchange.send([a_message()])
    (message,) = queued(seat)
    exchange.answer(seat, Message(RecordDict(), reply_to=message))
    exchange.take(ids)

    exchange.answer(seat, Message(RecordDict(), reply_to=message))

    assert exchange.take(ids) == []
    assert queued(seat) == [Acknowledge(ids[0])] * 2


def test_unanswered_work_is_sent_again_to_a_learner_that_is_back(exchange):
    seat = exchange.join("one", "s1")
    message = a_message()
    exchange.send([message])
    exchange.leave(seat)

    assert queued(exchange.join("one", "s1")) == [message]


def test_answered_work_is_not_sent_again(exchange):
    seat = exchange.join("one", "s1")
    message = a_message()
    exchange.send([message])
    exchange.answer(seat, Message(RecordDict(), reply_to=message))
    exchange.leave(seat)

    assert queued(exchange.join("one", "s1")) == []


def test_a_learner_in_grace_keeps_its_place(exchange, clock):
    seat = exchange.join("one", "s1")
    exchange.leave(seat)
    clock.now += 9

    assert list(exchange.nodes().values()) == ["one"]


def test_work_of_a_learner_beyond_grace_becomes_an_error(exchange, clock):
    seat = exchange.join("one", "s1")
    ids = exchange.send([a_message()])
    exchange.leave(seat, "the line broke")
    clock.now += 10

    (reply,) = exchange.take(ids)

    assert "one is gone: the line broke" in reply.error.reason
    assert exchange.nodes() == {}


def test_a_learner_that_leaves_for_good_has_no_grace(exchange):
    seat = exchange.join("one", "s1")
    ids = exchange.send([a_message()])

    exchange.leave(seat, "done", for_good=True)

    assert exchange.take(ids)[0].has_error()


def test_work_for_somebody_unknown_becomes_an_error(exchange):
    ids = exchange.send([a_message("nobody")])

    assert exchange.take(ids)[0].has_error()


def test_another_session_cannot_take_the_name_of_a_live_learner(exchange):
    exchange.join("one", "s1")

    with pytest.raises(NameTakenError):
        exchange.join("one", "s2")


def test_the_same_session_replaces_its_own_dead_connection(exchange, presences):
    old = exchange.join("one", "s1")
    new = exchange.join("one", "s1")

    exchange.leave(old)

    assert queued(old) == [None, None]
    assert exchange.wait_for(1, 0) == ["one"]
    assert [presence.is_present for presence in presences] == [True]
    assert new.node_id == old.node_id


def test_a_new_session_may_follow_a_lost_one(exchange):
    exchange.leave(exchange.join("one", "s1"))

    assert exchange.join("one", "s2").name == "one"


def test_forgotten_work_is_answered_in_vain(exchange):
    seat = exchange.join("one", "s1")
    message = a_message()
    ids = exchange.send([message])
    assert list(exchange.replies(ids, end=0)) == []

    exchange.answer(seat, Message(RecordDict(), reply_to=message))

    assert exchange.take(ids) == []


def test_comings_and_goings_are_reported_with_how_many_are_present(exchange, presences):
    exchange.join("one", "s1")
    seat = exchange.join("two", "s2")
    exchange.leave(seat, "tired", for_good=True)

    events = [
        (presence.learner, presence.is_present, presence.present, presence.reason)
        for presence in presences
    ]
    assert events == [("one", True, 1, ""), ("two", True, 2, ""), ("two", False, 1, "tired")]


def test_after_the_goodbye_nobody_is_reported_missing(exchange, presences):
    seat = exchange.join("one", "s1")
    exchange.say_goodbye("done", 0)
    exchange.leave(seat)

    assert queued(seat) == [Goodbye("done"), None]
    assert len(presences) == 1


def test_who_comes_after_the_goodbye_is_sent_home(exchange):
    exchange.say_goodbye("done", 0)

    assert queued(exchange.join("late", "s1")) == [Goodbye()]


def test_work_that_is_called_off_ends_every_wait_until_it_is_resumed(exchange):
    exchange.join("one", "s1")
    ids = set(exchange.send([a_message()]))

    exchange.call_off("the parent has ended")

    with pytest.raises(CalledOffError, match="the parent has ended"):
        next(exchange.replies(ids, None))
    with pytest.raises(CalledOffError):
        exchange.wait_for(2, 10)
    exchange.resume()
    assert exchange.wait_for(1, 10) == ["one"]


def test_who_joins_says_whether_it_aggregates(exchange):
    exchange.join("one", "s1")
    before = exchange.has_aggregators()

    exchange.join("two", "s2", aggregates=True)

    assert (before, exchange.has_aggregators()) == (False, True)
