"""Waiting for something to become true, instead of sleeping."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    timeout_seconds: float = 10.0,
    what: str = "",
    pause_seconds: float = 0.02,
) -> T:
    """Return the first truthy result of ``condition``; fail when none comes in time."""
    pause = threading.Event()
    end = time.monotonic() + timeout_seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_seconds:g} s: {what or condition}")
        pause.wait(pause_seconds)
    return result
