"""Fixtures and settings of all tests."""

import gc
import os
import time
from collections.abc import Iterator

import pytest

from support import process_logs, shared
from support.shares import Shares, rank


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run, unless this is one of its workers."""
    if not hasattr(config, "workerinput"):
        shared.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the workers shared."""
    if not hasattr(config, "workerinput"):
        shared.end_run()


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: many tests wait for processes.

    Each further one imports all tests, which takes more than its share of the waiting gives back.
    """
    return (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shares:
    """Give each worker whole files, the longest first."""
    config.option.loadscopereorder = False
    return Shares(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort what several workers share; alone, pytest begins with what is quick."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))


BEGUN = pytest.StashKey[float]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember when the file of a test began."""
    if BEGUN not in item.parent.stash:
        item.parent.stash[BEGUN] = time.time()
        leave_out_of_garbage_collections()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what all processes of a test printed that has failed."""
    report = yield
    if report.failed:
        folders = (item.config._tmp_path_factory.getbasetemp(), shared.run_folder())
        report.sections += process_logs.printed_since(item.parent.stash.get(BEGUN, 0), folders)
    return report


def leave_out_of_garbage_collections() -> None:
    """Take what is imported by now out of garbage collections.

    Learners collect garbage after each training. In their own processes they leave out what stays;
    in this one, which knows every module and test, a collection took half a second.
    """
    gc.collect()
    gc.freeze()
