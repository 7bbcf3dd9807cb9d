"""The grid over real gRPC on loopback: Flower's strategies above, ClientApps below."""

import json
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np
import pytest
from flwr.app import ArrayRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

from flops_grid.client.app import serve_client_app
from flops_grid.client.link import Ended
from flops_grid.errors import AggregatorUnreachableError, LearnerError
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.frames import PROTOCOL, FrameKind, frame, note, read_frame
from flops_grid.wire.settings import METHOD, GridSettings, LinkSettings
from support.answers import answers
from support.waiting import until

TOKEN = "for-this-test"
QUICK = LinkSettings(
    unreachable_seconds=3,
    duplicate_seconds=0.5,
    connect_seconds=2,
    keepalive_seconds=1,
    first_pause_seconds=0.05,
)


def an_app(add=0.0, samples=1, error=None, fits=None):
    """Return an app whose training adds ``add``, and that notes each training in ``fits``."""
    app = ClientApp()

    @app.train()
    def train(message, _context):
        if fits is not None:
            fits.append(message.metadata.message_id)
        if error:
            raise error
        sent = message.content["arrays"].to_numpy_ndarrays()
        arrays = [np.asarray(array + add, array.dtype) for array in sent]
        metrics = MetricRecord({"num-examples": samples})
        return Message(
            RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message
        )

    @app.evaluate()
    def evaluate(message, _context):
        metrics = MetricRecord({"num-examples": samples, "loss": add})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def grid(threads):
    settings = GridSettings(grace_seconds=1, keepalive_seconds=1, hello_seconds=1)
    with StreamGrid("127.0.0.1:0", TOKEN, settings) as running:
        yield running


def join(threads, grid, app, name, token=TOKEN):
    address = f"127.0.0.1:{grid.port}"
    return threads.submit(serve_client_app, app, address, name, token, QUICK)


def a_message(grid, to=0, arrays=()):
    node_id = list(grid.get_node_ids())[to]
    content = RecordDict({"arrays": ArrayRecord(list(arrays))})
    return grid.create_message(content, MessageType.TRAIN, node_id, "")


@contextmanager
def raw_stream(grid, *first):
    """Speak to the grid without our client: what is put into the yielded queue is sent."""
    outbox = queue.SimpleQueue()
    for data in first:
        outbox.put(data)
    with grpc.insecure_channel(f"127.0.0.1:{grid.port}") as channel:
        call = channel.stream_stream(METHOD)(iter(outbox.get, None), timeout=10)
        yield outbox, call
        outbox.put(None)
        call.cancel()


def a_hello(name="raw", **changes):
    hello = {
        "protocol": PROTOCOL,
        "token": TOKEN,
        "name": name,
        "session": "s",
        "owes": [],
        **changes,
    }
    return note(FrameKind.HELLO, hello)


def test_how_long_a_reply_took_to_arrive_is_measured(grid, threads):
    join(threads, grid, an_app(), "one")
    grid.wait_for_learners(1, 10)
    (node_id,) = grid.get_node_ids()

    before = grid.upload_seconds(node_id)
    (reply,) = answers(grid, [a_message(grid, arrays=[np.zeros(5_000_000)])], timeout=30)

    assert reply.has_content()
    assert (before, grid.upload_seconds(node_id) > 0) == (0.0, True)


def test_fedavg_over_two_learners_is_the_mean_weighted_by_samples(grid, threads):
    join(threads, grid, an_app(add=1, samples=10), "one")
    join(threads, grid, an_app(add=4, samples=30), "two")
    grid.wait_for_learners(2, 10)

    result = FedAvg().start(
        grid=grid, initial_arrays=ArrayRecord([np.zeros((2, 3), np.float32)]), num_rounds=2
    )
    grid.close()

    expected = 2 * (1 * 10 + 4 * 30) / 40
    np.testing.assert_allclose(result.arrays.to_numpy_ndarrays()[0], np.full((2, 3), expected))
    assert result.evaluate_metrics_clientapp[2]["loss"] == pytest.approx((10 + 4 * 30) / 40)


def test_parameters_of_several_frames_arrive_unchanged(grid, threads):
    join(threads, grid, an_app(), "one")
    grid.wait_for_learners(1, 10)
    arrays = [np.random.default_rng(1).random(1_500_000), np.array(7.5, np.float32), np.arange(3)]

    (reply,) = grid.send_and_receive([a_message(grid, arrays=arrays)], timeout=20)
    grid.close()

    for sent, received in zip(arrays, reply.content["arrays"].to_numpy_ndarrays(), strict=True):
        np.testing.assert_array_equal(received, sent)


def test_what_the_lines_carry_is_counted(grid, threads):
    join(threads, grid, an_app(), "one")
    grid.wait_for_learners(1, 10)
    before = grid.moved()

    answers(grid, [a_message(grid, arrays=[np.zeros(1_000_000)])], timeout=20)

    moved = grid.moved() - before
    assert moved.down == pytest.approx(8_000_000, rel=0.01)
    assert moved.up == pytest.approx(8_000_000, rel=0.01)
    grid.close()


def test_the_goodbye_ends_every_learner_and_every_thread(threads):
    grid = StreamGrid("127.0.0.1:0", TOKEN)
    grid.start()
    ends = [join(threads, grid, an_app(), name) for name in ("one", "two")]
    grid.wait_for_learners(2, 10)

    grid.close("all done")

    assert [end.result(300) for end in ends] == [Ended("all done")] * 2
    until(lambda: not [t for t in threading.enumerate() if t.name.startswith("grid")])


def test_an_app_that_raises_answers_with_the_error_and_works_again(grid, threads):
    fits = []
    join(threads, grid, an_app(error=ValueError("no digits"), fits=fits), "one")
    grid.wait_for_learners(1, 10)

    replies = [
        answers(grid, [a_message(grid)], timeout=10)[0],
        answers(grid, [a_message(grid)], timeout=10)[0],
    ]
    grid.close()

    reasons = [LearnerError.from_text(reply.error.reason).reason for reply in replies]
    assert reasons == ["unexpected ValueError: no digits"] * 2
    assert len(fits) == 2


def test_a_wrong_token_is_refused_at_once(grid, threads):
    end = join(threads, grid, an_app(), "one", token="guessed")

    with pytest.raises(AggregatorUnreachableError, match="wrong token"):
        end.result(300)


def test_another_version_of_the_protocol_is_refused(grid):
    hello = a_hello(protocol=PROTOCOL + 1)

    with raw_stream(grid, hello) as (_, call), pytest.raises(grpc.RpcError) as refusal:
        next(call)

    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_second_live_learner_under_a_name_is_refused(grid, threads):
    join(threads, grid, an_app(), "one")
    grid.wait_for_learners(1, 10)
    second = join(threads, grid, an_app(), "one")

    with pytest.raises(AggregatorUnreachableError, match="here already"):
        second.result(300)
    grid.close()


def test_a_client_that_says_nothing_is_sent_away(grid):
    with raw_stream(grid) as (_, call), pytest.raises(grpc.RpcError) as refusal:
        next(call)

    assert refusal.value.code() is grpc.StatusCode.CANCELLED


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"\xff" * 40,
        frame(FrameKind.BODY, b"no head before"),
        frame(FrameKind.HEAD, b"\x00\x00\xff\xff{}"),
        frame(FrameKind.HEAD, b"\x00\x00\x00\x02{}"),
        frame(FrameKind.HEAD, b"\x00\x00\x00\x0d" + b'{"sizes":[9]}' + b"longer than nine"),
        frame(FrameKind.LEAVE, b"[1]"),
        frame(FrameKind.BODY, b"x")[:-1] + b"y",
    ],
)
def test_a_malformed_frame_costs_that_peer_its_connection_and_nothing_else(grid, threads, rubbish):
    join(threads, grid, an_app(add=1), "good")
    grid.wait_for_learners(1, 10)

    with raw_stream(grid, a_hello(), rubbish) as (_, call), pytest.raises(grpc.RpcError) as refusal:
        list(call)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    until(lambda: grid.wait_for_learners(1, 0) == ["good"])
    (reply,) = grid.send_and_receive([a_message(grid)], timeout=10)
    assert reply.has_content()
    grid.close()


def test_a_reply_to_somebody_elses_message_is_dropped(grid, threads):
    started, release = threading.Event(), threading.Event()
    app = ClientApp()

    @app.train()
    def train(message, _context):
        started.set()
        release.wait(10)
        return Message(RecordDict(), reply_to=message)

    join(threads, grid, app, "good")
    grid.wait_for_learners(1, 10)
    answer = threads.submit(answers, grid, [a_message(grid)], timeout=120)
    started.wait(300)
    (message_id,) = grid._exchange._pending

    with raw_stream(grid, a_hello()) as (outbox, call):
        next(call)
        outbox.put(_forged_reply(message_id))
        kind, payload = next(
            read for data in call if (read := read_frame(data))[0] != FrameKind.BEAT
        )
    release.set()

    assert (kind, json.loads(bytes(payload))) == (
        FrameKind.ACKNOWLEDGE,
        {"message_id": message_id},
    )
    assert answer.result(300)[0].has_content()
    grid.close()


def _forged_reply(message_id):
    metadata = {
        "run_id": 1,
        "message_id": "",
        "src_node_id": 5,
        "dst_node_id": 1,
        "reply_to_message_id": message_id,
        "group_id": "",
        "created_at": 1.0,
        "ttl": 60.0,
        "message_type": "train",
    }
    head = json.dumps({"metadata": metadata, "sizes": [], "error": [2, "forged"]}).encode()
    return frame(FrameKind.HEAD, len(head).to_bytes(4, "big"), head)


def test_a_learner_that_is_gone_beyond_grace_becomes_an_error_reply(grid):
    with raw_stream(grid, a_hello("lost")) as (_, call):
        next(call)
        message = a_message(grid)
    (reply,) = grid.send_and_receive([message], timeout=10)

    assert LearnerError.from_text(reply.error.reason).reason.startswith("lost is gone")


def test_no_answer_in_time_gives_no_reply(grid):
    with raw_stream(grid, a_hello("slow")) as (_, call):
        next(call)

        assert answers(grid, [a_message(grid)], timeout=0.2) == []
