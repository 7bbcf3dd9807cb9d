"""The requests of both command lines of Oakestra, byte for byte, over a real connection."""

import socket
import threading

import pytest
from werkzeug.serving import make_server

from support.api_samples import a_project
from support.manager_api import World
from support.oak_requests import GO_MOCK, REQUESTS, answer_to, requests_of_clients
from support.waiting import until
from support.wire_samples import PROJECT_ID

ADDRESS = "127.251.0.1"


@pytest.fixture
def world() -> World:
    return World().has(a_project())


@pytest.fixture
def port(world):
    server = make_server(ADDRESS, 0, world.api(max_streams=2), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join(300)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_of_an_existing_client_succeeds(port, name):
    request, key = requests_of_clients(f"{ADDRESS}:5072", "Admin's")[name]

    status, document = answer_to((ADDRESS, port), request)

    assert (status, "message" in document, key in document) == (200, True, True)


def test_a_body_sent_in_chunks_is_read(port):
    request = (
        b"POST /api/flops/mocks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer Admin's\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        + f"{len(GO_MOCK):x}\r\n".encode()
        + GO_MOCK
        + b"\r\n0\r\n\r\n"
    )

    assert answer_to((ADDRESS, port), request)[0] == 200


def test_an_endless_body_in_chunks_is_refused(port):
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    request = (
        b"POST /api/flops/mocks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer Admin's\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunk * 17 + b"0\r\n\r\n"
    )

    assert answer_to((ADDRESS, port), request)[0] == 413


def test_a_client_that_hangs_up_frees_its_stream(port):
    path = f"/api/flops/projects/{PROJECT_ID}/events?after=1000"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer Admin's\r\n"
        "Accept: text/event-stream\r\n\r\n"
    ).encode()
    scrape = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    with socket.create_connection((ADDRESS, port), timeout=10) as connection:
        connection.sendall(request)
        first = connection.recv(12)

    assert first == b"HTTP/1.1 200"
    until(lambda: "flops_api_streams 0.0" in text_of(port, scrape), what="the stream is closed")


def text_of(port: int, request: bytes) -> str:
    """Send bytes as they are; return all that comes back."""
    with socket.create_connection((ADDRESS, port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
