"""The observer's journal: each event once, in order, in bounded memory."""

import json
from http import HTTPStatus

import pytest

from flops_contracts.events import Failure, Heartbeat, Kind, Notice, StageChanged
from flops_project_observer.journal import Journal
from flops_project_observer.pages import Pages
from flops_runtime.story import LONGEST_LINE
from support.observed import a_message


@pytest.fixture
def printed():
    return []


@pytest.fixture
def journal(printed):
    return Journal(kept_events=3, write_line=printed.append)


def test_an_event_becomes_a_line(journal, printed):
    journal.take("t", a_message(Kind.STAGE_CHANGED, StageChanged("training", "submitted")))

    assert printed == ["06:07:08Z manager: submitted -> training"]


def test_a_repeated_event_is_reported_once(journal, printed):
    message = a_message(Kind.NOTICE, Notice("hello"))

    journal.take("t", message)
    journal.take("t", message)

    assert len(printed) == 1


def test_an_emptied_retained_message_is_ignored(journal, printed):
    journal.take("t", b"")

    assert printed == []


def test_a_message_that_is_not_an_event_is_reported_and_not_stored(journal, printed):
    journal.take("t", b"{}")

    assert journal.after(0) == ()
    assert printed[0].startswith("ignored a message")


def test_heartbeats_are_not_stored(journal):
    journal.take("t", a_message(Kind.HEARTBEAT, Heartbeat("training")))

    assert journal.after(0) == ()


def test_only_the_latest_events_are_kept(journal):
    for number in range(5):
        journal.take("t", a_message(Kind.NOTICE, Notice(f"notice {number}")))

    assert [entry.number for entry in journal.after(0)] == [3, 4, 5]


def test_a_reader_asks_for_what_follows(journal):
    for number in range(3):
        journal.take("t", a_message(Kind.NOTICE, Notice(f"notice {number}")))

    assert [entry.number for entry in journal.after(2)] == [3]


def test_a_line_stays_short_however_long_the_reason(journal, printed):
    journal.take("t", a_message(Kind.FAILED, Failure("because " * 100, exit_code=1)))

    assert len(printed[0]) <= LONGEST_LINE


def test_of_a_failure_only_the_last_log_lines_are_kept(journal):
    lines = tuple(str(number) for number in range(40))

    journal.take("t", a_message(Kind.FAILED, Failure("no", exit_code=1, last_lines=lines)))

    last_lines = journal.after(0)[0].document["payload"]["last_lines"]
    assert list(last_lines) == ["35", "36", "37", "38", "39"]


@pytest.fixture
def pages(journal):
    return Pages("127.0.0.1", 0, "p1", journal)


def test_the_page_tells_the_story_as_text(journal, pages):
    journal.take("t", a_message(Kind.NOTICE, Notice("hello")))

    _, kind, body = pages.answer("/")

    assert kind.startswith("text/plain")
    assert b"notice: hello" in body


def test_the_page_says_that_nothing_happened(pages):
    _, _, body = pages.answer("/")

    assert b"Nothing has happened yet." in body


def test_events_are_served_with_their_numbers(journal, pages):
    journal.take("t", a_message(Kind.NOTICE, Notice("one")))
    journal.take("t", a_message(Kind.NOTICE, Notice("two")))

    _, _, body = pages.answer("/api/events?after=1")

    assert [event["seq"] for event in json.loads(body)["events"]] == [2]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 30])
def test_a_wrong_number_is_refused(pages, after):
    code, _, body = pages.answer(f"/api/events?after={after}")

    assert code is HTTPStatus.BAD_REQUEST
    assert "after" in json.loads(body)["message"]


def test_an_unknown_page_says_which_there_are(pages):
    code, _, body = pages.answer("/nothing")

    assert code is HTTPStatus.NOT_FOUND
    assert b"/api/events" in body
