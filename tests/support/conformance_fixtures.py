"""The root that is checked: ROOT_URL's, or local-oakestras of our own. A plugin of pytest."""

import os
import signal
from collections.abc import Iterator

import pytest

from support.conformance_root import Place, Root, place_from
from support.local_oakestra import World

NAMED = place_from(os.environ)
KINDS = ["named"] if NAMED else ["complete", "sparse"]
"""What nodes of a local-oakestra report; see ``FLOPS_LOCAL_REPORTS``."""


@pytest.fixture(scope="session", params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Yield the place of the root."""
    if NAMED is not None:
        yield NAMED
        return
    world = World(
        tmp_path_factory.mktemp("root"),
        FLOPS_LOCAL_GRACE_SECONDS="1",
        FLOPS_LOCAL_REPORTS=request.param,
    )
    image = world.image("anything", "replaced by cmd")
    try:
        world.start()
        yield Place(world.url, "Admin", "Admin", image, patience_seconds=20)
    finally:
        world.end()


@pytest.fixture(scope="session")
def visit(place: Place) -> Iterator[Root]:
    """Log in; afterwards the root must be as it was, also after a failure or a signal."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    root = Root(place)
    try:
        yield root
    finally:
        root.tidy()
        signal.signal(signal.SIGTERM, before)
        root.verify()


@pytest.fixture
def root(visit: Root) -> Iterator[Root]:
    """Remove everything that the test created."""
    try:
        yield visit
    finally:
        visit.tidy()
