"""The latest events of a project, numbered, each once, in bounded memory."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flops_contracts.envelope import MalformedMessageError, decode, document_from_event
from flops_project_observer.metrics import EVENTS, IGNORED
from flops_runtime.story import line_of

LONGEST_LAST_LINES = 5
"""How many log lines of a failure are stored; the manager has all of them."""


@dataclass(frozen=True)
class Entry:
    """An event: its number, its line, and its JSON document."""

    number: int
    line: str
    document: dict[str, Any]


class Journal:
    """Stores messages from the broker's thread; the pages' threads read its entries."""

    def __init__(self, kept_events: int, write_line: Callable[[str], None]) -> None:
        self._entries: deque[Entry] = deque(maxlen=kept_events)
        # Ids are remembered longer than events: a retained result may arrive again much later.
        self._seen: dict[str, None] = {}
        self._remembered_ids = 4 * kept_events
        self._write_line = write_line
        self._lock = threading.Lock()
        self._next_number = 1

    def take(self, _topic: str, data: bytes) -> None:
        """Add the event in ``data``; ignore repeated and silent ones, and anything else."""
        if not data:
            return
        try:
            event = decode(data)
        except MalformedMessageError as error:
            IGNORED.inc()
            self._write_line(f"ignored a message: {error}"[:200])
            return
        line = line_of(event)
        if line is None or not self._is_new(event.event_id):
            return
        document = document_from_event(event)
        if "last_lines" in document["payload"]:
            document["payload"]["last_lines"] = document["payload"]["last_lines"][
                -LONGEST_LAST_LINES:
            ]
        with self._lock:
            self._entries.append(Entry(self._next_number, line, document))
            self._next_number += 1
        EVENTS.labels(event.kind).inc()
        self._write_line(line)

    def after(self, number: int) -> tuple[Entry, ...]:
        """Return the entries that follow ``number``, oldest first."""
        with self._lock:
            return tuple(entry for entry in self._entries if entry.number > number)

    def _is_new(self, event_id: str) -> bool:
        with self._lock:
            if event_id in self._seen:
                return False
            self._seen[event_id] = None
            if len(self._seen) > self._remembered_ids:
                del self._seen[next(iter(self._seen))]
            return True
