"""A working core for the tests of everything that the worker does."""

import pytest

from support.manager_core import Core


@pytest.fixture
def core():
    """Return a core over memory adapters, whose worker runs."""
    core = Core()
    with core.working():
        yield core
