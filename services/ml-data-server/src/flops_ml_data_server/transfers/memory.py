"""Bounds the memory that all clients together can make the server hold."""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import pyarrow as pa

from flops_flight.errors import DataServerUnreachableError
from flops_ml_data_server.transfers.turns import Turn, Turns

DEFAULT_MEMORY_BYTES: Final = 512 * 10**6
DEFAULT_MAX_TRANSFERS: Final = 256
SMALLEST_SHARE: Final = 2**20
"""The minimum of a transfer, so that row groups and messages do not get too small."""
TURNS_PER_ENCODER: Final = 2
"""While one upload is compressed, the next one is received."""


class Memory:
    """Counts the bytes that wait to be written, and limits transfers."""

    def __init__(
        self,
        max_bytes: int = DEFAULT_MEMORY_BYTES,
        max_transfers: int = DEFAULT_MAX_TRANSFERS,
        encoders: int = 0,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_transfers = max_transfers
        encoders = encoders or os.cpu_count() or 1
        self._encoders = threading.BoundedSemaphore(encoders)
        self._turns = Turns(TURNS_PER_ENCODER * encoders)
        self._lock = threading.Lock()
        self._held = 0
        self._transfers = 0

    @property
    def held_bytes(self) -> int:
        """The bytes that wait to be written."""
        return self._held

    @property
    def transfers(self) -> int:
        """The number of uploads and downloads under way."""
        return self._transfers

    @property
    def share_bytes(self) -> int:
        """The bytes that each of the current transfers may hold."""
        return max(SMALLEST_SHARE, self._max_bytes // max(1, self._transfers))

    @contextmanager
    def transfer(self) -> Iterator[None]:
        """Count an upload or a download; raise ``DataServerUnreachableError`` when full."""
        with self._lock:
            if self._transfers >= self._max_transfers:
                raise DataServerUnreachableError(
                    f"the data server has reached its limit of {self._transfers} transfers",
                    hint="Try again later, or raise FLOPS_MAX_TRANSFERS.",
                )
            self._transfers += 1
        try:
            yield
        finally:
            with self._lock:
                self._transfers -= 1

    def turn(self) -> AbstractContextManager[Turn]:
        """Wait for a turn to receive an upload, because gRPC does not bound its own buffers."""
        return self._turns.turn()

    def hold(self, count: int) -> bool:
        """Count received bytes; return whether there is room for more."""
        with self._lock:
            self._held += count
            return self._held < self._max_bytes

    def release(self, count: int) -> None:
        """Count bytes as written or discarded."""
        with self._lock:
            self._held -= count

    def give_back(self) -> None:
        """Return unused memory to the system, unless a transfer would need it soon."""
        if not self._transfers:
            pa.default_memory_pool().release_unused()

    @contextmanager
    def encoding(self) -> Iterator[None]:
        """Wait for a processor: compressing more at once needs memory, and is not faster."""
        with self._encoders:
            yield
