"""Peers that freeze, that send rubbish, and that have much to send."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flops_grid.server.grid import StreamGrid
from flops_grid.wire.frames import PROTOCOL, FrameKind, frame, note
from flops_grid.wire.settings import METHOD, GridSettings
from support.answers import answers
from support.peers import TOKEN, a_message, join
from support.waiting import until

LEARNER = """
import sys
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp
from flops_grid.client.app import serve_client_app
app = ClientApp()
@app.train()
def train(message, context):
    return Message(RecordDict({"arrays": message.content["arrays"]}), reply_to=message)
serve_client_app(app, sys.argv[1], sys.argv[2], sys.argv[3])
"""


@pytest.fixture
def grid(threads, presences):
    with StreamGrid("127.0.0.1:0", TOKEN, watch=presences.append) as running:
        yield running


@pytest.fixture
def process(grid):
    address = f"127.0.0.1:{grid.port}"
    running = subprocess.Popen([sys.executable, "-c", LEARNER, address, "other", TOKEN])
    yield running
    running.kill()
    running.wait(300)


def test_a_stopped_learner_is_noticed_within_ten_seconds(grid, process, presences):
    grid.wait_for_learners(1, 60)

    os.kill(process.pid, signal.SIGSTOP)

    until(lambda: not presences[-1].is_present, timeout_seconds=10)
    os.kill(process.pid, signal.SIGCONT)
    until(lambda: presences[-1].is_present, timeout_seconds=20)
    assert answers(grid, [a_message(grid, "other")], timeout=20)[0].has_content()


def test_a_learner_that_says_nothing_is_taken_for_frozen_but_not_while_it_works(threads):
    quick = GridSettings(silence_seconds=0.5, beat_seconds=0.1)
    presences = []
    hello = {"protocol": PROTOCOL, "token": TOKEN, "session": "s"}
    release = threading.Event()
    with (
        StreamGrid("127.0.0.1:0", TOKEN, quick, watch=presences.append) as grid,
        grpc.insecure_channel(f"127.0.0.1:{grid.port}") as channel,
    ):
        dial = channel.stream_stream(METHOD)
        # A call that nobody holds is cancelled by gRPC.
        busy = dial(
            then_wait(note(FrameKind.HELLO, {**hello, "name": "b", "owes": ["m"]}), release)
        )
        next(busy)
        silent = dial(then_wait(note(FrameKind.HELLO, {**hello, "name": "s", "owes": []}), release))
        next(silent)
        until(lambda: len(presences) == 3, what="both came, one left")
        release.set()

    assert [(presence.learner, presence.is_present) for presence in presences[:3]] == [
        ("b", True),
        ("s", True),
        ("s", False),
    ]


def then_wait(first, release):
    yield first
    release.wait(20)


def test_a_large_transfer_to_one_does_not_starve_another(grid, process, threads):
    join(threads, grid.port, "quick")
    grid.wait_for_learners(2, 60)
    large = threads.submit(answers, grid, [a_message(grid, "other", 30_000_000)], timeout=100)

    for _ in range(5):
        assert answers(grid, [a_message(grid, "quick")], timeout=5)[0].has_content()

    assert not large.done()
    assert large.result(300)[0].has_content()
    grid.close()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 5000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 900,
    ],
)
def test_what_is_not_even_grpc_harms_nobody(grid, threads, rubbish):
    join(threads, grid.port, "good")
    grid.wait_for_learners(1, 10)

    with socket.create_connection(("127.0.0.1", grid.port), 5) as line:
        line.sendall(rubbish)

    assert answers(grid, [a_message(grid, "good")], timeout=10)[0].has_content()
    grid.close()


FRAMES = st.one_of(
    st.binary(max_size=60),
    st.builds(frame, st.sampled_from(FrameKind), st.binary(max_size=60)),
    st.builds(
        note,
        st.sampled_from(FrameKind),
        st.dictionaries(
            st.sampled_from(["token", "name", "session", "held", "owes", "protocol", "sizes"]),
            st.one_of(st.none(), st.integers(), st.text(max_size=5), st.just(TOKEN)),
        ),
    ),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.booleans(), st.lists(FRAMES, max_size=4))
def test_whatever_a_peer_sends_the_grid_goes_on(grid, greets, rubbish):
    hello = {"protocol": PROTOCOL, "token": TOKEN, "name": "raw", "session": "s", "owes": []}
    first = [note(FrameKind.HELLO, hello)] if greets else []

    with grpc.insecure_channel(f"127.0.0.1:{grid.port}") as channel:
        call = channel.stream_stream(METHOD)(iter([*first, *rubbish]), timeout=5)
        with contextlib.suppress(grpc.RpcError):
            list(call)

    assert grid.wait_for_learners(0, 0) is not None
    assert grid._server is not None
