"""What holds for every test."""

import gc
import os

import pytest

from support.shares import Shares, rank


def pytest_xdist_auto_num_workers() -> int:
    """Return more workers than cores: many tests wait for processes."""
    return 2 * (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shares:
    """Give each worker whole files, the longest first."""
    config.option.loadscopereorder = False
    return Shares(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort what several workers share; alone, pytest begins with what is quick."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))


def pytest_collection_finish() -> None:
    """Take what is imported by now out of Python's search for garbage.

    Learners search after each training. In their own processes they leave out what stays; in this
    one, which knows every module and test, a search took half a second.
    """
    gc.collect()
    gc.freeze()
