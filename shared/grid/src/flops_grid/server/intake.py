"""Limits how many large replies are received at once; the others wait at their senders.

A further reply is read when one of them is done. A slow connection must not delay the others: while
nothing gets done for ``stall_seconds``, one more reply is admitted.
"""

import time
from collections.abc import Callable
from threading import Condition
from typing import Final

from flops_grid.wire.frames import MAX_MESSAGE_BYTES

SMALL_BYTES: Final = 1024 * 1024
"""A reply up to this size is always admitted."""


class Intake:
    """Shared by all readers; ``room_bytes`` is for several replies, or for a single larger one."""

    def __init__(
        self,
        room_bytes: int = 32 * 1024 * 1024,
        stall_seconds: float = 5.0,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_message_bytes = max_message_bytes
        self._room_bytes = room_bytes
        self._stall_seconds = stall_seconds
        self._clock = clock
        self._changed = Condition()
        self._bytes = 0
        self._moved_at = clock()
        self._is_closed = False

    def enter(self, size: int) -> int:
        """Wait until there is room for ``size`` bytes; return the bytes to ``leave`` later."""
        if size <= SMALL_BYTES:
            return size
        with self._changed:
            while not self._has_room(size):
                self._changed.wait(max(0.01, self._moved_at + self._stall_seconds - self._clock()))
            self._bytes += size
            self._moved_at = self._clock()
        return size

    def leave(self, size: int) -> None:
        """Free the room of ``size`` bytes."""
        if size <= SMALL_BYTES:
            return
        with self._changed:
            self._bytes -= size
            self._moved_at = self._clock()
            self._changed.notify_all()

    def close(self) -> None:
        """Admit all replies from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if self._is_closed or self._bytes <= 0 or self._bytes + size <= self._room_bytes:
            return True
        return self._clock() - self._moved_at >= self._stall_seconds
