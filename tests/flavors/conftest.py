"""One suite for all flavors: starting it and providing data happen once."""

import pytest

from support.suite import running_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    with running_world(tmp_path_factory.mktemp("flavors")) as world:
        world.provide("mnist", partitions=3)
        world.provide("mnist-held-out", split="test")
        yield world
