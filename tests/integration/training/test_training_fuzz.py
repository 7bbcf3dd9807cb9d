"""A conversation with an aggregator, spoilt in every way a line or a hostile peer can spoil one."""

import contextlib
import json
import queue

import grpc
import numpy as np
import pytest
from flwr.app import ArrayRecord, Message, RecordDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flops_grid.errors import WireError
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.frames import PROTOCOL, FrameKind, frame, note, read_frame
from flops_grid.wire.settings import METHOD, GridSettings
from flops_grid.wire.transfer import Assembler, message_frames
from support.answers import answers
from support.peers import TOKEN, a_message, join

FLOATS = np.random.default_rng(5).random(200_000).astype(np.float32)
HELLO = {"protocol": PROTOCOL, "token": TOKEN, "name": "raw", "session": "s", "owes": []}

# What a line may do: nothing false may come of it.
SPOILT = st.tuples(
    st.sampled_from(["truncated", "flipped", "twice", "dropped", "swapped", "empty"]),
    st.integers(0, 10),
    st.integers(0, 2**20),
)
# What a peer may say with checksums that are right.
LIES = st.one_of(
    st.builds(frame, st.sampled_from(FrameKind), st.binary(max_size=40)),
    st.integers(9, 255).map(lambda kind: bytes([kind]) + bytes(12)),
    st.sampled_from([-1, 2**31, 2**63, 10**30]).map(lambda size: a_head(sizes=[size])),
    st.sampled_from([[[0, 0]], [[-1, 0]], [[0, -1]], [[5, 5]], "x", [1]]).map(
        lambda pairs: a_head(sizes=[4], known=pairs)
    ),
    st.integers(1, 2**40).map(lambda skip: a_head(sizes=[4], skip=skip)),
    st.just(frame(FrameKind.HEAD, b"\xff\xff\xff\xff")),
    st.just(frame(FrameKind.HEAD, b"\x00\x0f\xff\xff" + b"[" * 100_000)),
)
HELLOS = st.dictionaries(
    st.sampled_from(sorted({*HELLO, "held", "aggregates"})),
    st.one_of(
        st.none(), st.integers(), st.text(max_size=300), st.lists(st.integers()), st.just({})
    ),
    max_size=3,
)


def a_head(**changes):
    text = json.dumps({"metadata": {"message_id": "m"}, "records": [], **changes}).encode()
    return frame(FrameKind.HEAD, len(text).to_bytes(4, "big"), text)


def spoil(frames, how, where, bit):
    """Return the frames with one of them spoilt."""
    i = where % len(frames)
    chosen, before, after = frames[i], frames[:i], frames[i + 1 :]
    match how:
        case "truncated":
            return [*before, chosen[: bit % len(chosen)], *after]
        case "flipped":
            at = bit % (8 * len(chosen))
            changed = bytearray(chosen)
            changed[at // 8] ^= 1 << at % 8
            return [*before, bytes(changed), *after]
        case "twice":
            return [*before, chosen, chosen, *after]
        case "dropped":
            return [*before, *after]
        case "swapped":
            return [*before, *after[:1], chosen, *after[1:]]
        case _:
            return [*before, b"", *after]


@pytest.fixture
def grid():
    quick = GridSettings(grace_seconds=0.05, hello_seconds=2, max_message_bytes=2**24)
    with StreamGrid("127.0.0.1:0", TOKEN, quick) as running:
        yield running


@pytest.fixture
def good(grid, threads):
    """A learner that has nothing to do with it."""
    end = join(threads, grid.port, "good")
    grid.wait_for_learners(1, 10)
    yield
    grid.close()
    end.result(300)


def is_unharmed(grid):
    (reply,) = answers(grid, [a_message(grid, "good")], timeout=10)
    return reply.has_content()


@contextlib.contextmanager
def a_stream(grid):
    """Yield a queue of what is sent and the call; whatever comes of it is this peer's own."""
    outbox = queue.SimpleQueue()
    with grpc.insecure_channel(f"127.0.0.1:{grid.port}") as channel:
        call = channel.stream_stream(METHOD)(iter(outbox.get, None), timeout=10)
        with contextlib.suppress(grpc.RpcError):
            yield outbox, call
        outbox.put(None)
        call.cancel()


def the_work(call):
    """Return the message that comes next."""
    assembler = Assembler()
    for data in call:
        kind, payload = read_frame(data)
        if kind in (FrameKind.HEAD, FrameKind.BODY) and (message := assembler.feed(kind, payload)):
            return message
    raise AssertionError("the stream ended")


def answered(grid, spoilt):
    """Answer with spoilt frames as a peer, and end; return the reply that the grid gives."""
    with a_stream(grid) as (outbox, call):
        outbox.put(note(FrameKind.HELLO, HELLO))
        next(call)
        (message_id,) = grid.push_messages([a_message(grid, "raw")])
        reply = Message(RecordDict({"arrays": ArrayRecord([FLOATS])}), reply_to=the_work(call))
        for data in spoil(list(message_frames(reply)), *spoilt):
            outbox.put(data)
        outbox.put(None)
        list(call)
    return next(iter(grid._exchange.replies([message_id], None)))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spoilt=SPOILT)
def test_a_spoilt_answer_is_an_error_or_the_answer_itself(grid, good, spoilt):
    reply = answered(grid, spoilt)

    assert reply.has_error() or np.array_equal(
        reply.content["arrays"].to_numpy_ndarrays()[0], FLOATS
    )
    assert is_unharmed(grid)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lies=st.lists(LIES, min_size=1, max_size=3))
def test_lies_with_right_checksums_cost_the_peer_its_connection_only(grid, good, lies):
    with a_stream(grid) as (outbox, call):
        for data in (note(FrameKind.HELLO, HELLO), *lies):
            outbox.put(data)
        outbox.put(None)
        list(call)

    assert is_unharmed(grid)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=HELLOS)
def test_whatever_a_greeting_says_nobody_else_is_harmed(grid, good, changes):
    with a_stream(grid) as (outbox, call):
        outbox.put(note(FrameKind.HELLO, {**HELLO, **changes}))
        outbox.put(None)
        list(call)

    assert is_unharmed(grid)


@settings(deadline=None)
@given(spoilt=SPOILT)
def test_spoilt_frames_are_the_message_itself_or_a_wire_error(spoilt):
    message = Message(RecordDict({"arrays": ArrayRecord([FLOATS])}), 5, "train")
    assembler, messages = Assembler(), []
    with contextlib.suppress(WireError):
        for data in spoil(list(message_frames(message)), *spoilt):
            messages.append(assembler.feed(*read_frame(data)))  # noqa: PERF401 - until one raises

    for item in filter(None, messages):
        np.testing.assert_array_equal(item.content["arrays"].to_numpy_ndarrays()[0], FLOATS)
