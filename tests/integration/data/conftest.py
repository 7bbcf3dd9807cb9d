"""A data server, as it runs on a node, on free ports of the loopback."""

import pytest

from support.data_plane import a_data_server, a_data_server_process


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
    with a_data_server_process(tmp_path / "volume") as (world, _):
        yield world
