"""A worker that is started before its database."""

import logging

import pytest

from flops_manager.domain.errors import StoreUnavailableError
from flops_manager.entrypoints.worker import persistently


class Late:
    """A database that is there at the third look."""

    def __init__(self):
        self.looks = 0

    def __call__(self):
        self.looks += 1
        if self.looks <= 2:
            raise StoreUnavailableError("The database does not answer.")


def away():
    raise StoreUnavailableError("The database does not answer.")


def broken():
    raise ValueError("a bug")


def test_a_worker_waits_with_a_warning_for_a_database_that_starts_late(caplog):
    late = Late()

    with caplog.at_level(logging.WARNING):
        persistently(late, 30)

    assert late.looks == 3
    assert caplog.text.count("waiting for the database") == 2


def test_a_database_that_never_comes_is_given_up():
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        persistently(away, 0.2)


def test_only_the_database_is_waited_for():
    with pytest.raises(ValueError, match="a bug"):
        persistently(broken, 30)
