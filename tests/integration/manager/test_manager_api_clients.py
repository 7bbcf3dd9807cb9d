"""What both command lines of Oakestra send, byte for byte, over a real connection."""

import http.client
import json
import random
import socket
import threading

import pytest
from werkzeug.serving import make_server

from support.api_samples import a_project
from support.manager_api import World
from support.waiting import until
from support.wire_samples import PROJECT_ID

ADDRESS = f"127.{random.randint(60, 200)}.0.1"

# Go's encoding/json sorts the keys of a map; Python's requests keeps the order of the file.
GO_SLA = (
    b'{"customerID":"Admin","ml_model_flavor":"sklearn",'
    b'"ml_repo_url":"https://github.com/Malyuk-A/flops_ml_repo_mnist_sklearn",'
    b'"post_training_steps":["build_image_for_trained_model","deploy_trained_model_image"],'
    b'"resource_constraints":{"memory":100,"storage":0,"vcpus":1},'
    b'"supported_platforms":["linux/amd64"],"training_configuration":{"data_tags":["mnist"],'
    b'"min_available_clients":2,"min_evaluate_clients":2,"min_fit_clients":2,"mode":"classic",'
    b'"training_rounds":3},"use_devel_base_images":false,"verbose":true}'
)
PYTHON_SLA = (
    b'{"verbose": true, "customerID": "Admin", '
    b'"ml_repo_url": "https://github.com/Malyuk-A/flops_ml_repo_mnist_sklearn", '
    b'"ml_model_flavor": "sklearn", "use_devel_base_images": false, '
    b'"supported_platforms": ["linux/amd64"], "training_configuration": {"mode": "hierarchical", '
    b'"data_tags": ["mnist"], "training_cycles": 2, "training_rounds": 3, '
    b'"min_available_clients": 2, "min_fit_clients": 2, "min_evaluate_clients": 2}, '
    b'"post_training_steps": ["build_image_for_trained_model", "deploy_trained_model_image"], '
    b'"resource_constraints": {"memory": 100, "vcpus": 1, "storage": 0}}'
)
GO_MOCK = (
    b'{"customerID":"Admin","mock_data_configuration":'
    b'{"data_tag":"mnist","dataset_name":"mnist","number_of_partitions":3}}'
)
PYTHON_MOCK = (
    b'{"customerID": "Admin", "mock_data_configuration": {"dataset_name": "mnist", '
    b'"number_of_partitions": 3, "data_tag": "mnist"}}'
)
GO_CUSTOMER, PYTHON_CUSTOMER = b'{"customerID":"Admin"}', b'{"customerID": "Admin"}'


def from_go(method: str, path: str, body: bytes = b"") -> bytes:
    """Return what the Go `oak` sends: no Accept, a content type only with a body."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    kind = "Content-Type: application/json\r\n" if body else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {ADDRESS}:5072\r\nUser-Agent: Go-http-client/1.1\r\n"
        f"{length}Authorization: Bearer Admin's\r\n{kind}Accept-Encoding: gzip\r\n\r\n"
    )
    return head.encode() + body


def from_python(method: str, path: str, body: bytes) -> bytes:
    """Return what the Python `oak` sends: JSON in the body of every method, GET included."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {ADDRESS}:5072\r\n"
        "User-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
        "Connection: keep-alive\r\nAuthorization: Bearer Admin's\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


REQUESTS = {
    "go-project": (from_go("POST", "/api/flops/projects", GO_SLA), "project_id"),
    "go-project-slash": (from_go("POST", "/api/flops/projects/", GO_SLA), "project_id"),
    "go-mock": (from_go("POST", "/api/flops/mocks", GO_MOCK), "mock_id"),
    "go-tracking": (
        from_go("GET", "/api/flops/tracking?customerID=Admin"),
        "tracking_server_url",
    ),
    "go-reset": (from_go("DELETE", "/api/flops/database", GO_CUSTOMER), "projects"),
    "python-project": (from_python("POST", "/api/flops/projects", PYTHON_SLA), "project_id"),
    "python-mock": (from_python("POST", "/api/flops/mocks", PYTHON_MOCK), "mock_id"),
    "python-tracking": (
        from_python("GET", "/api/flops/tracking", PYTHON_CUSTOMER),
        "tracking_server_url",
    ),
    "python-reset": (from_python("DELETE", "/api/flops/database", PYTHON_CUSTOMER), "projects"),
}


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
    thread.join(5)


def answer_to(port: int, request: bytes) -> tuple[int, dict]:
    """Send bytes as they are; return the status and the JSON."""
    with socket.create_connection((ADDRESS, port), timeout=10) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, json.loads(response.read())


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_request_of_an_existing_client_succeeds(port, name):
    request, key = REQUESTS[name]

    status, document = answer_to(port, request)

    assert (status, "message" in document, key in document) == (200, True, True)


def test_a_body_sent_in_chunks_is_read(port):
    request = (
        b"POST /api/flops/mocks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer Admin's\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        + f"{len(GO_MOCK):x}\r\n".encode()
        + GO_MOCK
        + b"\r\n0\r\n\r\n"
    )

    assert answer_to(port, request)[0] == 200


def test_an_endless_body_in_chunks_is_refused(port):
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    request = (
        b"POST /api/flops/mocks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer Admin's\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunk * 17 + b"0\r\n\r\n"
    )

    assert answer_to(port, request)[0] == 413


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
