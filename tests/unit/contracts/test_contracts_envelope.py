"""Every kind of message survives the wire; everything else is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flops_contracts.envelope import MalformedMessageError, decode, encode
from flops_contracts.events import PAYLOADS, Actor, Event, Kind, Notice, RoundCompleted
from flops_contracts.roles import Role


def an_event(kind=Kind.NOTICE, payload=None):
    return Event(
        event_id="e1",
        project_id="0123456789ab",
        actor=Actor(Role.LEARNER, "lrn0", "cluster", "node"),
        stage="training",
        kind=kind,
        at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        payload=payload or Notice("hello"),
    )


def test_an_event_survives_the_wire():
    assert decode(encode(an_event())) == an_event()


def test_the_trace_travels_with_an_event():
    traced = replace(an_event(), trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")

    assert decode(encode(traced)) == traced


def test_without_a_trace_the_wire_is_as_it_was():
    assert "trace" not in json.loads(encode(an_event()))


def test_every_kind_has_a_payload():
    assert set(PAYLOADS) == set(Kind)


def test_unknown_keys_of_a_newer_sender_are_dropped():
    document = json.loads(encode(an_event()))
    document["new"] = document["payload"]["new"] = document["actor"]["new"] = 1

    assert decode(json.dumps(document).encode()) == an_event()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"null", b"\xff\xfe"])
def test_data_that_are_not_an_envelope_are_refused(data):
    with pytest.raises(MalformedMessageError):
        decode(data)


def test_a_payload_of_another_kind_is_refused():
    document = json.loads(encode(an_event()))
    document["kind"] = "trained"

    with pytest.raises(MalformedMessageError, match="run_id"):
        decode(json.dumps(document).encode())


def test_a_number_that_json_does_not_know_is_refused_by_the_sender():
    payload = RoundCompleted(round=1, rounds=1, loss=float("nan"), accuracy=None, seconds=1.0)

    with pytest.raises(ValueError, match="JSON"):
        encode(an_event(Kind.ROUND_COMPLETED, payload))
