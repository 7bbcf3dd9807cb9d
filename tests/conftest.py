"""What holds for every test."""

import gc


def pytest_collection_finish() -> None:
    """Take what is imported by now out of Python's search for garbage.

    Learners search after each training. In their own processes they leave out what stays; in this
    one, which knows every module and test, a search took half a second.
    """
    gc.collect()
    gc.freeze()
