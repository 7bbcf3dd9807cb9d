"""How much memory all clients together may make the server hold, whatever they send."""

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
"""What a transfer may always hold: below it, row groups and messages get too small to be good."""
TURNS_PER_ENCODER: Final = 2
"""While a processor packs what one upload has sent, it is read what the next to be packed sends."""


class Memory:
    """Counts bytes that wait to be written, and who reads and writes at all."""

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
        """What waits to be written right now."""
        return self._held

    @property
    def transfers(self) -> int:
        """How many uploads and downloads are under way."""
        return self._transfers

    @property
    def share_bytes(self) -> int:
        """What each of the present transfers may hold."""
        return max(SMALLEST_SHARE, self._max_bytes // max(1, self._transfers))

    @contextmanager
    def transfer(self) -> Iterator[None]:
        """Count an upload or a download; raise ``DataServerUnreachableError`` when full."""
        with self._lock:
            if self._transfers >= self._max_transfers:
                raise DataServerUnreachableError(
                    f"the data server has {self._transfers} transfers under way, its limit",
                    hint="Try again later, or raise FLOPS_MAX_TRANSFERS.",
                )
            self._transfers += 1
        try:
            yield
        finally:
            with self._lock:
                self._transfers -= 1

    def turn(self) -> AbstractContextManager[Turn]:
        """Wait for a turn to read an upload: what gRPC takes in of many at once is not bounded."""
        return self._turns.turn()

    def hold(self, count: int) -> bool:
        """Count bytes that came in; say whether there is room for more to wait."""
        with self._lock:
            self._held += count
            return self._held < self._max_bytes

    def release(self, count: int) -> None:
        """Say that bytes are written or thrown away."""
        with self._lock:
            self._held -= count

    def give_back(self) -> None:
        """Let the system have what finished transfers left, unless another would need it soon."""
        if not self._transfers:
            pa.default_memory_pool().release_unused()

    @contextmanager
    def encoding(self) -> Iterator[None]:
        """Wait for a processor: packing needs memory too, and more at once make nothing faster."""
        with self._encoders:
            yield
