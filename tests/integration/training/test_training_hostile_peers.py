"""Peers that freeze, that are not who they say, that send rubbish, and that have much to send."""

import contextlib
import datetime as dt
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flwr.app import ArrayRecord, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flops_grid.client import serve_client_app
from flops_grid.errors import AggregatorUnreachableError
from flops_grid.exchange import node_id_of
from flops_grid.server import StreamGrid
from flops_grid.settings import METHOD, GridSettings, LinkSettings
from flops_grid.tls import TlsFiles
from flops_grid.wire import PROTOCOL, FrameKind, frame, note
from flops_runtime.environment import BadSettingsError
from support.answers import answers
from support.waiting import until

TOKEN = "for-this-test"
QUICK = LinkSettings(unreachable_seconds=3, connect_seconds=2, first_pause_seconds=0.05)

LEARNER = """
import sys
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp
from flops_grid.client import serve_client_app
app = ClientApp()
@app.train()
def train(message, context):
    return Message(RecordDict({"arrays": message.content["arrays"]}), reply_to=message)
serve_client_app(app, sys.argv[1], sys.argv[2], sys.argv[3])
"""


def an_echo():
    app = ClientApp()

    @app.train()
    def train(message, _context):
        return Message(RecordDict({"arrays": message.content["arrays"]}), reply_to=message)

    return app


def a_message(grid, name, floats=1):
    arrays = ArrayRecord([np.arange(floats, dtype=np.float32)])
    content = RecordDict({"arrays": arrays})
    return grid.create_message(content, MessageType.TRAIN, node_id_of(name), "")


@pytest.fixture
def threads():
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def presences():
    return []


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
    running.wait(10)


def join(threads, grid, name, tls=None, app=None):
    address = f"127.0.0.1:{grid.port}"
    return threads.submit(serve_client_app, app or an_echo(), address, name, TOKEN, QUICK, tls)


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

    assert [(one.learner, one.is_present) for one in presences[:3]] == [
        ("b", True),
        ("s", True),
        ("s", False),
    ]


def then_wait(first, release):
    yield first
    release.wait(20)


def test_a_large_transfer_to_one_does_not_starve_another(grid, process, threads):
    join(threads, grid, "quick")
    grid.wait_for_learners(2, 60)
    large = threads.submit(answers, grid, [a_message(grid, "other", 30_000_000)], timeout=100)

    for _ in range(5):
        assert answers(grid, [a_message(grid, "quick")], timeout=5)[0].has_content()

    assert not large.done()
    assert large.result(100)[0].has_content()
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
    join(threads, grid, "good")
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


class Authority:
    """Makes certificates for the loopback and writes them down."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = str(folder / f"{name}.pem")
        Path(self.file).write_bytes(self._signed(self._name, self._key, is_ca=True))

    def files(self, name: str) -> TlsFiles:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        (self._folder / f"{name}.pem").write_bytes(self._signed(subject, key))
        (self._folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        certificate, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        return TlsFiles(str(certificate), str(secret), self.file)

    def _signed(self, subject, key, *, is_ca=False):
        now = dt.datetime.now(dt.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self._key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def a_secure_grid(authority):
    credentials = authority.files("aggregator").server_credentials()
    return StreamGrid("127.0.0.1:0", TOKEN, credentials=credentials)


def test_learners_with_a_certificate_of_the_ca_work_over_mutual_tls(authority, threads):
    with a_secure_grid(authority) as grid:
        join(threads, grid, "one", authority.files("learner"))

        assert grid.wait_for_learners(1, 10) == ["one"]
        assert answers(grid, [a_message(grid, "one", 999)], timeout=10)[0].has_content()


def test_a_learner_without_a_certificate_is_not_let_in(authority, threads):
    with a_secure_grid(authority) as grid:
        end = join(threads, grid, "one", TlsFiles(ca=authority.file))

        with pytest.raises(AggregatorUnreachableError):
            end.result(30)
        assert grid.wait_for_learners(1, 0) == []


def test_a_learner_does_not_believe_an_aggregator_of_another_ca(authority, tmp_path, threads):
    other = Authority(tmp_path, "other-ca")
    with a_secure_grid(authority) as grid:
        end = join(threads, grid, "one", other.files("learner"))

        with pytest.raises(AggregatorUnreachableError):
            end.result(30)


@pytest.mark.parametrize(
    "files", [TlsFiles(certificate="a.pem"), TlsFiles(ca="x"), TlsFiles("a", "b")]
)
def test_files_that_are_missing_are_bad_settings(files):
    with pytest.raises(BadSettingsError):
        files.server_credentials()
