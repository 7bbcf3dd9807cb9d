"""Logs are kept within bounds, and found again by what people look for."""

from datetime import timedelta

import pytest

from flops_contracts.api.queries import LogQuery
from flops_contracts.roles import Role
from flops_manager.ports.stores import Record
from flops_manager.usecases.kept_logs import TRIM_EVERY, KeptLogs, LogLimits, tail
from support.log_batches import a_batch
from support.manager_core import MovableClock, a_project
from support.memory.logs import MemoryLogStore
from support.memory.stores import memory_projects


@pytest.fixture
def projects():
    projects = memory_projects()
    projects.add(Record(a_project("p1")))
    return projects


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def store():
    return MemoryLogStore()


@pytest.fixture
def logs(store, projects, clock):
    return KeptLogs(store, {Role.LEARNER: projects}, LogLimits(), clock)


def messages(page):
    return [line.line.message for line in page.lines]


def test_lines_are_found_by_who_where_how_severe_when_and_what(logs):
    logs.take(a_batch("p1", 1, "loading", "fitting", round_=1))
    logs.take(a_batch("p1", 3, "diverged", level="WARNING", round_=2))
    logs.take(a_batch("p1", 1, "elsewhere", instance="lrn1", node="n2", run="b"))

    def found(**query):
        return messages(logs.read("p1", LogQuery(**query)))

    assert found() == ["loading", "fitting", "diverged", "elsewhere"]
    assert found(actor="lrn0") == ["loading", "fitting", "diverged"]
    assert found(node="n2") == ["elsewhere"]
    assert found(level="WARNING") == ["diverged"]
    assert found(round=1) == ["loading", "fitting"]
    assert found(text="FIT") == ["fitting"]
    assert found(limit=1) == ["elsewhere"]


def test_who_follows_gets_each_line_once(logs):
    logs.take(a_batch("p1", 1, "one"))
    first = logs.read("p1", LogQuery(after=0))
    logs.take(a_batch("p1", 2, "two"))

    second = logs.read("p1", LogQuery(after=first.last_seq))

    assert (messages(first), messages(second)) == (["one"], ["two"])
    assert messages(logs.read("p1", LogQuery(after=second.last_seq))) == []


def test_lines_that_were_too_many_are_counted(logs):
    logs.take(a_batch("p1", 1, "one"))
    logs.take(a_batch("p1", 501, "much later"))

    page = logs.read("p1", LogQuery(after=0))

    assert [line.left_out for line in page.lines] == [0, 499]
    assert "... 499 lines are left out" in tail(page.lines)


def test_lines_that_are_missing_between_two_pages_are_counted_too(logs):
    logs.take(a_batch("p1", 1, "one"))
    first = logs.read("p1", LogQuery(after=0))
    logs.take(a_batch("p1", 501, "much later"))

    (line,) = logs.read("p1", LogQuery(after=first.last_seq)).lines

    assert (line.line.message, line.left_out) == ("much later", 499)


def test_a_project_that_nobody_knows_keeps_nothing(logs, store):
    logs.take(a_batch("gone", 1, "one"))

    assert store.after("gone", 0, 10) == []


def test_of_each_project_only_so_much_is_kept(store, projects, clock):
    logs = KeptLogs(store, {Role.LEARNER: projects}, LogLimits(characters=50), clock)

    for number in range(1, TRIM_EVERY + 1):
        logs.take(a_batch("p1", number, "x" * 10))

    assert len(store.after("p1", 0, 100)) == 5


def test_days_are_counted(logs, store, clock):
    logs.take(a_batch("p1", 1, "old"))
    clock.pass_seconds(timedelta(days=15).total_seconds())
    logs.take(a_batch("p1", 2, "new"))

    logs.sweep()

    assert messages(logs.read("p1", LogQuery())) == ["new"]


def test_with_no_days_nothing_is_kept(store, projects, clock):
    logs = KeptLogs(store, {Role.LEARNER: projects}, LogLimits(days=0), clock)

    logs.take(a_batch("p1", 1, "one"))

    assert store.after("p1", 0, 10) == []


def test_an_old_error_is_found_behind_many_lines(logs):
    logs.take(a_batch("p1", 1, "broke", level="ERROR"))
    for number in range(2, 202):
        logs.take(a_batch("p1", number, "fine"))

    assert messages(logs.read("p1", LogQuery(level="ERROR"))) == ["broke"]
