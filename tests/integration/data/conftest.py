"""A data server, as it runs on a node, on free ports of the loopback."""

import pytest

from support.data_plane import a_data_server


@pytest.fixture
def node(tmp_path):
    with a_data_server(tmp_path / "volume") as world:
        yield world


@pytest.fixture
def server(node):
    with node.client() as client:
        yield client
