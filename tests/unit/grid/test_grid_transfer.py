"""Transfers that are interrupted, arrays that are named instead of sent, and lies about both."""

import json

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message, RecordDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flops_grid.errors import WireError
from flops_grid.messages.flower_internals import set_message_id, take_identity
from flops_grid.wire.frames import FRAME_BYTES, FrameKind, frame, read_frame
from flops_grid.wire.transfer import Assembler, Checksums, Held, Sender, message_frames


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


def a_message(*arrays, message_id="m1", record=None):
    content = RecordDict({"arrays": record or ArrayRecord(list(arrays))})
    message = Message(content, 7, "train")
    set_message_id(message, message_id)
    return message


def fed(assembler, frames):
    return [assembler.feed(*read_frame(data)) for data in frames]


def values(message):
    return [array.tolist() for array in message.content["arrays"].to_numpy_ndarrays()]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=4), st.integers(0, 7))
def test_a_transfer_goes_on_where_it_was_interrupted(sizes, arrived):
    arrays = [np.arange(size) % 251 for size in sizes]
    message, assembler = a_message(*arrays), Assembler()
    frames = list(message_frames(message))
    fed(assembler, frames[: min(arrived, len(frames) - 1)])

    held = assembler.reconnected()
    rest = list(Sender(held).frames(message))

    assert values(fed(assembler, rest)[-1]) == [array.tolist() for array in arrays]
    repeated = sum(map(len, rest)) - sum(map(len, frames[arrived:]))
    assert repeated < FRAME_BYTES


def test_the_arrays_of_the_message_before_are_named_instead_of_sent():
    record = ArrayRecord([np.arange(300_000), np.arange(5)])
    sender, assembler = Sender(checksums=Checksums()), Assembler(remembers=True)
    fed(assembler, sender.frames(a_message(record=record)))

    again = list(sender.frames(a_message(record=record, message_id="m2")))

    assert len(again) == 1
    assert values(fed(assembler, again)[-1]) == [list(range(300_000)), list(range(5))]


def test_a_new_connection_sends_everything_again():
    record, checksums = ArrayRecord([np.arange(9)]), Checksums()
    assembler = Assembler(remembers=True)
    fed(assembler, Sender(None, checksums).frames(a_message(record=record)))
    assembler.reconnected()

    arrived = fed(assembler, Sender(None, checksums).frames(a_message(record=record)))

    assert values(arrived[-1]) == [list(range(9))]


def test_what_is_held_of_another_message_is_dropped():
    assembler = Assembler()
    fed(assembler, list(message_frames(a_message(np.zeros(200_000))))[:2])
    held = assembler.reconnected()

    other = fed(assembler, Sender(held).frames(a_message(np.arange(3), message_id="m2")))

    assert values(other[-1]) == [[0, 1, 2]]
    assert assembler.reconnected() is None


def test_an_interrupted_message_that_names_arrays_goes_on_as_well():
    held_record = ArrayRecord([np.arange(4)])
    mixed = ArrayRecord()
    mixed["a"], mixed["b"] = held_record["0"], ArrayRecord([np.arange(200_000)])["0"]
    sender, assembler = Sender(checksums=Checksums()), Assembler(remembers=True)
    fed(assembler, sender.frames(a_message(record=held_record)))
    message = a_message(record=mixed, message_id="m2")
    fed(assembler, list(sender.frames(message))[:2])

    held = assembler.reconnected()

    assert held.reused == (0,)
    assert values(fed(assembler, Sender(held).frames(message))[-1])[0] == [0, 1, 2, 3]


def test_one_body_is_read_once_for_the_checksums_of_all_learners():
    checksums = Checksums()
    message = a_message(np.arange(200_000))
    first = list(Sender(checksums=checksums).frames(message))
    computed = checksums._last[1]
    before = dict(computed)

    second = list(Sender(checksums=checksums).frames(message))

    assert second == first
    assert checksums._last[1] is computed
    assert computed == before


def head_frame(**changes):
    metadata = {"message_id": "m1", "reply_to_message_id": ""}
    head = {"metadata": metadata, "sizes": [8], "known": [], "skip": 0, "records": []} | changes
    text = json.dumps(head).encode()
    return frame(FrameKind.HEAD, len(text).to_bytes(4, "big"), text)


@pytest.mark.parametrize(
    "lie",
    [
        {"skip": 4},
        {"skip": "4"},
        {"known": [[0, 0]]},
        {"known": [[5, 0]]},
        {"known": 5},
        {"known": [["0", 0]]},
        {"known": [[0]]},
        {"sizes": [8], "metadata": 5},
        {"sizes": {"0": 8}},
    ],
)
def test_a_head_that_lies_about_what_is_there_is_a_wire_error(lie):
    with pytest.raises(WireError):
        fed(Assembler(remembers=True), [head_frame(**lie)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
HEADS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("metadata", "sizes", "known", "skip", "records", "error"), JSON),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(HEADS, st.binary(max_size=30))
def test_any_head_is_taken_or_a_wire_error(head, body):
    text = json.dumps(head).encode()
    data = frame(FrameKind.HEAD, len(text).to_bytes(4, "big"), text, body)
    assembler = Assembler(remembers=True)
    try:
        fed(assembler, [data, frame(FrameKind.BODY, body)])
    except WireError:
        return
    assert assembler.arriving >= 0


@given(JSON)
def test_what_a_greeting_says_is_held_is_read_or_a_wire_error(document):
    try:
        held = Held.from_document(document)
    except WireError:
        return
    assert held is None or held.to_document() == document
