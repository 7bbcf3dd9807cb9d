"""A data server, as it runs on a node, on free ports of the loopback."""

import os
import subprocess
import sys

import pytest

from support.broker import free_port, is_listening
from support.data_plane import ADDRESS, World, a_data_server
from support.waiting import until


@pytest.fixture
def node(tmp_path):
    with a_data_server(tmp_path / "volume") as world:
        yield world


@pytest.fixture
def server(node):
    with node.client() as client:
        yield client


@pytest.fixture
def process_node(tmp_path):
    """A data server in a process of its own: what kills that one does not kill the tests."""
    port, http_port = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "FLOPS_BIND_ADDRESS": ADDRESS,
        "FLOPS_DATA_VOLUME": str(tmp_path / "volume"),
        "FLOPS_FLIGHT_PORT": str(port),
        "FLOPS_HTTP_PORT": str(http_port),
    }
    command = [sys.executable, "-m", "flops_ml_data_server"]
    with subprocess.Popen(command, env=environment) as process:
        until(lambda: is_listening(port), what="the server listens")
        yield World(f"{ADDRESS}:{port}", f"http://{ADDRESS}:{http_port}", tmp_path / "volume")
        is_up = process.poll() is None
        process.kill()
    assert is_up
