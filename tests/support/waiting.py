"""Waiting for something to become true, instead of sleeping."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 10
"""A limit is for what hangs. A machine may be this much slower than one with two idle cores."""


def until(
    condition: Callable[[], T],
    timeout_seconds: float = 10.0,
    what: str = "",
) -> T:
    """Return the first truthy result of ``condition``; fail when none comes in time.

    The pauses grow with what was waited: asking costs the other side as much as us.
    """
    pause = threading.Event()
    begun = time.monotonic()
    while not (result := condition()):
        waited = time.monotonic() - begun
        if waited > PATIENCE * timeout_seconds:
            raise AssertionError(f"not within {waited:.0f} s: {what or condition}")
        pause.wait(min(max(0.01, waited / 10), 0.25))
    return result
