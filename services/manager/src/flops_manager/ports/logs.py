"""Actors' logs: the feed that they come from, and the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flops_contracts.log_lines import LogBatch


@dataclass(frozen=True)
class StoredBatch:
    """A batch that is kept; ``seq`` counts from 1 for each project or mock, with gaps at most."""

    seq: int
    batch: LogBatch


class LogStore(Protocol):
    """Keeps batches by project or mock, in the order in which they came.

    Every method raises ``StoreUnavailableError`` if the database does not answer.
    """

    def append(self, batch: LogBatch, at: datetime) -> bool:
        """Store it with the next number; return False if it is stored already."""

    def after(
        self, subject_id: str, seq: int, limit: int, actor: str = "", node: str = ""
    ) -> Sequence[StoredBatch]:
        """Return up to ``limit`` batches with a higher number, in order.

        ``actor`` is an instance or a role, ``node`` a node; empty means any.
        """

    def newest(
        self, subject_id: str, limit: int, actor: str = "", node: str = ""
    ) -> Sequence[StoredBatch]:
        """Return the last ``limit`` batches, in order; ``actor`` and ``node`` as in ``after``."""

    def last_number(self, subject_id: str, run: str, before: int) -> int | None:
        """Return the number of the last line of a process in batches below ``before``, if any."""

    def trim(self, subject_id: str, most_characters: int) -> None:
        """Remove the oldest batches beyond so many characters of messages."""

    def remove(self, subject_id: str) -> None:
        """Forget all of a project or mock."""

    def remove_before(self, at: datetime) -> None:
        """Forget what was kept before ``at``."""


class LogFeed(Protocol):
    """The source of batches."""

    def open(self, receive: Callable[[LogBatch], None]) -> None:
        """Call ``receive(batch)`` for each until ``close``.

        Raises ``BrokerUnreachableError``. A batch that ``receive`` cannot store comes again.
        """

    def close(self) -> None:
        """Disconnect; safe to call twice."""
