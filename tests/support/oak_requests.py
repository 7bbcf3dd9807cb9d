"""The requests of both command lines of Oakestra, byte for byte."""

import http.client
import json
import socket

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

LONGEST_WAIT_SECONDS = 30
"""Both wait no longer for an answer."""


def from_go(method: str, path: str, host: str, token: str, body: bytes = b"") -> bytes:
    """Return what the Go `oak` sends: no Accept, a content type only with a body."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    kind = "Content-Type: application/json\r\n" if body else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\n"
        f"{length}Authorization: Bearer {token}\r\n{kind}Accept-Encoding: gzip\r\n\r\n"
    )
    return head.encode() + body


def from_python(method: str, path: str, host: str, token: str, body: bytes) -> bytes:
    """Return what the Python `oak` sends: JSON in the body of every method, GET included."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n"
        "User-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
        f"Connection: keep-alive\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests_of_clients(host: str, token: str) -> dict[str, tuple[bytes, str]]:
    """Return each of their requests by name, with the key that its answer must have."""
    who = (host, token)
    return {
        "go-project": (from_go("POST", "/api/flops/projects", *who, GO_SLA), "project_id"),
        "go-project-slash": (from_go("POST", "/api/flops/projects/", *who, GO_SLA), "project_id"),
        "go-mock": (from_go("POST", "/api/flops/mocks", *who, GO_MOCK), "mock_id"),
        "go-tracking": (
            from_go("GET", "/api/flops/tracking?customerID=Admin", *who),
            "tracking_server_url",
        ),
        "go-reset": (from_go("DELETE", "/api/flops/database", *who, GO_CUSTOMER), "projects"),
        "python-project": (
            from_python("POST", "/api/flops/projects", *who, PYTHON_SLA),
            "project_id",
        ),
        "python-mock": (from_python("POST", "/api/flops/mocks", *who, PYTHON_MOCK), "mock_id"),
        "python-tracking": (
            from_python("GET", "/api/flops/tracking", *who, PYTHON_CUSTOMER),
            "tracking_server_url",
        ),
        "python-reset": (
            from_python("DELETE", "/api/flops/database", *who, PYTHON_CUSTOMER),
            "projects",
        ),
    }


REQUESTS = tuple(sorted(requests_of_clients("", "")))


def answer_to(address: tuple[str, int], request: bytes) -> tuple[int, dict[str, object]]:
    """Send bytes as they are; return the status and the JSON. No redirect is followed."""
    with socket.create_connection(address, timeout=LONGEST_WAIT_SECONDS) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, json.loads(response.read())
