"""Frames and messages: what goes in comes out, and nothing else is ever accepted."""

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flops_grid.errors import WireError
from flops_grid.messages.flower_internals import metadata_values, take_identity
from flops_grid.wire.frames import (
    FRAME_BYTES,
    FrameKind,
    frame,
    note,
    read_frame,
    read_note,
)
from flops_grid.wire.transfer import Assembler, message_frames

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(endianness="<"),
    hnp.complex_number_dtypes(endianness="<"),
)
ARRAYS = st.lists(
    hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)),
    max_size=6,
)
METRICS = st.dictionaries(
    st.text(max_size=20),
    st.one_of(
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False),
        st.lists(st.integers(-5, 5), max_size=4),
        st.lists(st.floats(allow_nan=False), max_size=4),
    ),
    max_size=5,
)
CONFIGS = st.dictionaries(
    st.text(max_size=20),
    st.one_of(
        st.booleans(),
        st.text(max_size=20),
        st.binary(max_size=20),
        st.floats(allow_nan=False),
        st.lists(st.binary(max_size=5), max_size=3),
        st.lists(st.text(max_size=5), max_size=3),
    ),
    max_size=5,
)


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


def a_message(content):
    return Message(content, 7, "train", group_id="3")


def carried(message):
    """Return what arrives when the frames of ``message`` are put together again."""
    assembler = Assembler()
    arrived = [assembler.feed(*read_frame(data)) for data in message_frames(message)]
    assert arrived[:-1] == [None] * (len(arrived) - 1)
    return arrived[-1]


@given(ARRAYS)
def test_arrays_of_any_numeric_type_and_shape_arrive_unchanged(arrays):
    arrived = carried(a_message(RecordDict({"arrays": ArrayRecord(arrays)})))

    received = arrived.content["arrays"].to_numpy_ndarrays()
    assert [(a.dtype, a.shape, a.tobytes()) for a in received] == [
        (a.dtype, a.shape, a.tobytes()) for a in arrays
    ]


@given(METRICS, CONFIGS)
def test_metrics_and_configs_arrive_unchanged(metrics, config):
    content = RecordDict({"metrics": MetricRecord(metrics), "config": ConfigRecord(config)})

    arrived = carried(a_message(content))

    assert dict(arrived.content["metrics"]) == metrics
    assert dict(arrived.content["config"]) == config


def test_metadata_arrive_unchanged():
    message = a_message(RecordDict())

    assert metadata_values(carried(message)) == metadata_values(message)


def test_an_error_arrives_as_an_error():
    reply = Message(Error(2, "why"), reply_to=a_message(RecordDict()))

    assert carried(reply).error == Error(2, "why")


def test_no_frame_is_longer_than_it_may_be():
    arrays = [np.zeros(3 * FRAME_BYTES + 5, np.uint8), np.zeros(10), np.zeros(FRAME_BYTES)]

    lengths = [
        len(frame_) for frame_ in message_frames(a_message(RecordDict({"a": ArrayRecord(arrays)})))
    ]

    assert len(lengths) == 13
    assert max(lengths) <= FRAME_BYTES + 2000


def test_messages_one_after_the_other_do_not_mix():
    assembler = Assembler()
    records = [ArrayRecord([np.full(4, n)]) for n in range(3)]
    frames = [f for r in records for f in message_frames(a_message(RecordDict({"a": r})))]

    arrived = [assembler.feed(*read_frame(data)) for data in frames]

    assert [item.content["a"] for item in arrived] == records


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_wire_error(data):
    try:
        kind, _ = read_frame(data)
    except WireError:
        return
    assert isinstance(kind, FrameKind)


@given(st.sampled_from([FrameKind.HEAD, FrameKind.BODY]), st.binary(max_size=200))
def test_any_payload_is_a_part_of_a_message_or_a_wire_error(kind, payload):
    with pytest.raises(WireError):
        Assembler().feed(*read_frame(frame(kind, payload)))


@given(st.integers(0, 54), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(position, bit):
    bad = bytearray(frame(FrameKind.BODY, bytes(range(50))))
    bad[position] ^= 1 << bit

    with pytest.raises(WireError):
        read_frame(bytes(bad))


HEAD = {"metadata": {}, "sizes": [], "records": []}


@pytest.mark.parametrize(
    "head",
    [
        HEAD,
        {**HEAD, "sizes": [-1]},
        {**HEAD, "sizes": ["4"]},
        {**HEAD, "sizes": [True]},
        {**HEAD, "sizes": [10**18]},
        {"metadata": None, "sizes": [], "error": ["x", "y"]},
        {"metadata": {}, "sizes": [], "records": [["a", "arrays", [["0", "f4", [1], "numpy"]]]]},
        {"metadata": {}, "sizes": [], "records": 5},
    ],
)
def test_a_head_that_lies_is_a_wire_error(head):
    _, document = read_frame(note(FrameKind.HEAD, head))
    payload = len(document).to_bytes(4, "big") + bytes(document)

    with pytest.raises(WireError):
        Assembler().feed(FrameKind.HEAD, memoryview(payload))


def test_a_note_that_is_not_an_object_is_a_wire_error():
    with pytest.raises(WireError, match="a JSON object"):
        read_note(memoryview(b"[1]"))


def test_a_message_larger_than_allowed_is_refused_before_it_is_received():
    first = next(message_frames(a_message(RecordDict({"a": ArrayRecord([np.zeros(1000)])}))))

    with pytest.raises(WireError, match="too large"):
        Assembler(max_message_bytes=1000).feed(*read_frame(first))
