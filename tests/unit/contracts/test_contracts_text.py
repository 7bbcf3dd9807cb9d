"""Text that user code and other machines send: repaired once, where it comes in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flops_contracts.envelope import MalformedMessageError, decode, document_from_event, encode
from flops_contracts.events import Failure, Kind, Notice
from flops_contracts.log_lines import (
    LONGEST_MESSAGE,
    LogBatch,
    LogLine,
    decode_logs,
    encode_logs,
)
from flops_contracts.text import LONGEST_TEXT, REPLACEMENT, storable, storable_document
from flops_manager.adapters.oakestra_documents import state_from_document
from support.manager_core import NOW, a_project, an_event
from support.observed import observed_event

ANYTHING = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("naïve café 😀 漢字\tand\nlines", "naïve café 😀 漢字\tand\nlines"),
        ("half \ud83d of a pair", f"half {REPLACEMENT} of a pair"),
        ("nul \x00 and bell \x07", f"nul {REPLACEMENT} and bell {REPLACEMENT}"),
        ("\x1b[31mred\x1b[0m \x1b[2K\x1b[1Aup", "red up"),
        ("\x1b]0;a title\x07text \x1b]8;;http://x\x1b\\link", "text link"),
        ("\x1b]never ends", f"{REPLACEMENT}]never ends"),
        ("\x9b31m", f"{REPLACEMENT}31m"),
        ("", ""),
    ],
)
def test_what_stores_or_terminals_refuse_is_replaced(text, expected):
    assert storable(text) == expected


def test_a_text_is_cut_at_the_limit_with_a_mark():
    assert storable("x" * 10_000_000, 10) == "xxxxxxxxx…"
    assert len(storable("x" * 10_000_000)) == LONGEST_TEXT
    assert storable("x" * 10, 10) == "x" * 10
    assert storable("\x1b[31m" * 10 + "red", 10) == "…"


@given(ANYTHING)
def test_every_text_is_utf_8_afterwards_and_stays_as_it_is_then(text):
    shown = storable(text)

    assert shown.encode().decode() == shown
    assert "\x00" not in shown
    assert storable(shown) == shown


@given(st.recursive(ANYTHING | st.integers() | st.none(), st.lists))
def test_documents_keep_their_form(document):
    repaired = storable_document({"key\ud800": [document]})

    assert set(repaired) == {f"key{REPLACEMENT}"}
    json.dumps(repaired, ensure_ascii=False).encode()


def test_an_event_with_such_a_text_arrives_storable():
    failure = Failure("fit_model raised ValueError: \udcff\x00", 11, last_lines=("\ud800",))

    received = decode(encode(observed_event(Kind.FAILED, failure))).payload

    assert received.reason == f"fit_model raised ValueError: {REPLACEMENT}{REPLACEMENT}"
    assert received.last_lines == (REPLACEMENT,)


def test_log_lines_with_such_a_text_arrive_and_long_ones_are_cut():
    aggregator = a_project().services[0]
    actor = an_event(a_project(), aggregator.instance, Kind.NOTICE, Notice("x")).actor
    messages = ("printed \ud800", "x" * 10_000_000)
    lines = tuple(
        LogLine(number=number, at=NOW, level="INFO", message=message)
        for number, message in enumerate(messages, 1)
    )

    received = decode_logs(encode_logs(LogBatch("p1", actor, "run1", lines))).lines

    assert received[0].message == f"printed {REPLACEMENT}"
    assert len(received[1].message) == LONGEST_MESSAGE


@pytest.mark.parametrize("data", [b"[" * 100_000, b"\xff\xfe", b"{", b'"text"'])
def test_bytes_without_a_message_are_malformed(data):
    with pytest.raises(MalformedMessageError):
        decode(data)


def test_what_a_root_reports_of_a_service_is_storable():
    instance = {"instance_number": 0, "status_detail": "a\x00", "logs": "\x1b[31mred\x1b[0m\ud800"}

    state = state_from_document({"_id": "5", "instance_list": [instance]})

    assert (state.detail, state.logs) == (f"a{REPLACEMENT}", f"red{REPLACEMENT}")


def test_an_event_is_written_as_before():
    event = observed_event(Kind.NOTICE, Notice("naïve 😀"))

    assert json.loads(encode(event)) == document_from_event(event)
