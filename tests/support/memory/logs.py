"""The ports of logs in memory; they pass the ports' contracts."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flops_contracts.log_lines import LogBatch
from flops_manager.ports.logs import StoredBatch


@dataclass(frozen=True)
class _Kept:
    stored: StoredBatch
    at: datetime


class MemoryLogStore:
    """``LogStore`` in a list."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def append(self, batch: LogBatch, at: datetime) -> bool:
        """See the port."""
        identity = (batch.project_id, batch.run, batch.lines[0].number)
        with self._lock:
            stored_identities = {
                (item.stored.batch.project_id, item.stored.batch.run, _first(item.stored))
                for item in self._kept
            }
            if identity in stored_identities:
                return False
            seq = self._numbers.get(batch.project_id, 0) + 1
            self._numbers[batch.project_id] = seq
            self._kept.append(_Kept(StoredBatch(seq, batch), at))
        return True

    def after(
        self, subject_id: str, seq: int, limit: int, actor: str = "", node: str = ""
    ) -> Sequence[StoredBatch]:
        """See the port."""
        stored = self._stored(subject_id, actor, node)
        return [item for item in stored if item.seq > seq][:limit]

    def newest(
        self, subject_id: str, limit: int, actor: str = "", node: str = ""
    ) -> Sequence[StoredBatch]:
        """See the port."""
        return self._stored(subject_id, actor, node)[-limit:]

    def last_number(self, subject_id: str, run: str, before: int) -> int | None:
        """See the port."""
        stored = self._stored(subject_id, "", "")
        numbers = [item.batch.lines[-1].number for item in stored if _is_before(item, run, before)]
        return max(numbers, default=None)

    def trim(self, subject_id: str, most_characters: int) -> None:
        """See the port."""
        left = most_characters
        with self._lock:
            gone = []
            for item in reversed(self._kept):
                if item.stored.batch.project_id == subject_id:
                    left -= characters(item.stored.batch)
                    if left < 0:
                        gone.append(item)
            self._kept = [item for item in self._kept if item not in gone]

    def remove(self, subject_id: str) -> None:
        """See the port."""
        with self._lock:
            self._kept = [item for item in self._kept if item.stored.batch.project_id != subject_id]

    def remove_before(self, at: datetime) -> None:
        """See the port."""
        with self._lock:
            self._kept = [item for item in self._kept if item.at >= at]

    def _stored(self, subject_id: str, actor: str, node: str) -> list[StoredBatch]:
        with self._lock:
            stored = [
                item.stored for item in self._kept if item.stored.batch.project_id == subject_id
            ]
        return [
            item
            for item in stored
            if actor in {"", item.batch.actor.instance, item.batch.actor.role}
            and node in {"", item.batch.actor.node}
        ]


class MemoryLogFeed:
    """``LogFeed`` that tests publish to; undelivered lines wait."""

    def __init__(self) -> None:
        self._receive: Callable[[LogBatch], None] | None = None
        self._waiting: list[LogBatch] = []

    def say(self, batch: LogBatch) -> None:
        """Deliver lines as an actor that logged something."""
        if self._receive is None:
            self._waiting.append(batch)
        else:
            self._receive(batch)

    def open(self, receive: Callable[[LogBatch], None]) -> None:
        """See the port."""
        self._receive = receive
        waiting, self._waiting = self._waiting, []
        for batch in waiting:
            receive(batch)

    def close(self) -> None:
        """See the port."""
        self._receive = None


def characters(batch: LogBatch) -> int:
    """Return how much a batch counts."""
    return sum(len(line.message) for line in batch.lines)


def _is_before(stored: StoredBatch, run: str, before: int) -> bool:
    return stored.batch.run == run and stored.seq < before


def _first(stored: StoredBatch) -> int:
    return stored.batch.lines[0].number
