"""Keeping what actors log, and reading it: live, and when they are long gone."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flops_contracts.api.queries import LogQuery
from flops_contracts.declared import declared
from flops_contracts.events import Actor
from flops_contracts.log_lines import LogBatch, LogLine, severity
from flops_contracts.roles import Role
from flops_manager.domain.errors import SubjectNotFoundError
from flops_manager.metrics import LOG_BATCHES
from flops_manager.ports.logs import LogFeed, LogStore, StoredBatch
from flops_manager.ports.stores import Records

logger = logging.getLogger(__name__)

KNOWN_SECONDS: Final = 30.0
"""How long a project is taken for known without asking the store again."""

TRIM_EVERY: Final = 20
"""Batches between two looks at the size of what is kept of a project."""

BATCHES_AT_ONCE: Final = 50
MOST_BATCHES: Final = 2000
"""Of a filter that little passes: the client asks again from where this ended."""


@dataclass(frozen=True)
class LogLimits:
    """How long lines are kept, and how many characters of each project or mock; 0 days: none."""

    days: int = declared(
        14, "How long logs of actors are kept; 0: they are not even sent.", "FLOPS_LOG_DAYS"
    )
    characters: int = declared(
        20_000_000,
        "How much of it is kept of each project, in MB; the oldest goes first.",
        "FLOPS_LOG_MB",
        minimum=1,
        scale=10**6,
    )


@dataclass(frozen=True)
class KeptLine:
    """A line with who said it. ``left_out`` lines of the same process before it are missing."""

    seq: int
    actor: Actor
    line: LogLine
    left_out: int = 0


@dataclass(frozen=True)
class LogPage:
    """Lines in order; what follows is asked for with ``after=last_seq``."""

    lines: tuple[KeptLine, ...]
    last_seq: int


class KeptLogs:
    """Stores batches within bounds, and finds lines in them."""

    def __init__(
        self,
        store: LogStore,
        subjects: Mapping[Role, Records[Any]],
        limits: LogLimits,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._subjects = subjects
        self._limits = limits
        self._now = now
        self._monotonic = monotonic
        self._known: dict[str, float] = {}
        self._untrimmed: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, batch: LogBatch) -> None:
        """Keep a batch of a project or mock that there is; raise ``StoreUnavailableError``."""
        LOG_BATCHES.inc()
        if not self._limits.days or not self._is_known(batch):
            return
        self._store.append(batch, self._now())
        with self._lock:
            count = self._untrimmed.get(batch.project_id, 0) + 1
            self._untrimmed[batch.project_id] = count % TRIM_EVERY
        if count == TRIM_EVERY:
            self._store.trim(batch.project_id, self._limits.characters)

    def read(self, subject_id: str, query: LogQuery) -> LogPage:
        """Return the lines that match; the caller must be allowed to read them."""
        if query.after is None:
            return self._last(subject_id, query)
        lines: list[KeptLine] = []
        seen: dict[str, int] = {}
        last = query.after
        for _ in range(MOST_BATCHES // BATCHES_AT_ONCE):
            batches = self._store.after(subject_id, last, BATCHES_AT_ONCE, query.actor, query.node)
            for stored in batches:
                lines += self._lines(stored, query, seen)
                last = stored.seq
                if len(lines) >= query.limit:
                    return _page(lines, last)
            if len(batches) < BATCHES_AT_ONCE:
                break
        return _page(lines, last)

    def sweep(self) -> None:
        """Delete the batches that are older than the limit."""
        self._store.remove_before(self._now() - timedelta(days=self._limits.days))

    def _last(self, subject_id: str, query: LogQuery) -> LogPage:
        looked_at = MOST_BATCHES if _looks_into_lines(query) else BATCHES_AT_ONCE
        batches = self._store.newest(subject_id, looked_at, query.actor, query.node)
        seen: dict[str, int] = {}
        lines = [line for stored in batches for line in self._lines(stored, query, seen)]
        page = _page(lines, batches[-1].seq if batches else 0)
        return replace(page, lines=page.lines[-query.limit :])

    def _lines(
        self, stored: StoredBatch, query: LogQuery, seen: dict[str, int]
    ) -> Iterator[KeptLine]:
        """Yield the lines that match; ``seen`` has the last number of each process so far.

        Earlier lines of a process may be on an earlier page.
        """
        batch = stored.batch
        if batch.run not in seen:
            before = self._store.last_number(batch.project_id, batch.run, stored.seq)
            # Lines before the oldest batch were deleted on purpose: they are not missing.
            seen[batch.run] = batch.lines[0].number - 1 if before is None else before
        for line in batch.lines:
            missing = max(0, line.number - seen[batch.run] - 1)
            seen[batch.run] = line.number
            if _matches(query, line):
                yield KeptLine(stored.seq, batch.actor, line, missing)

    def _is_known(self, batch: LogBatch) -> bool:
        now, subject_id = self._monotonic(), batch.project_id
        if self._known.get(subject_id, 0.0) > now:
            return True
        store = self._subjects.get(batch.actor.role)
        try:
            if store is None:
                return False
            store.get(subject_id)
        except SubjectNotFoundError:
            logger.debug("%s is unknown; its log lines are ignored", subject_id)
            return False
        self._known = {key: until for key, until in self._known.items() if until > now}
        self._known[subject_id] = now + KNOWN_SECONDS
        return True


class LogIntake:
    """Receives logs while this manager is the active worker."""

    def __init__(self, feed: LogFeed, logs: KeptLogs) -> None:
        self._feed = feed
        self._logs = logs

    def open(self) -> None:
        """Subscribe; raise ``BrokerUnreachableError``."""
        self._feed.open(self._logs.take)

    def close(self) -> None:
        """Unsubscribe."""
        self._feed.close()

    def sweep(self) -> None:
        """Delete old batches."""
        self._logs.sweep()


def _looks_into_lines(query: LogQuery) -> bool:
    """Return whether single lines are filtered, so that the last match may be old."""
    return bool(query.level or query.text or query.round is not None)


def _matches(query: LogQuery, line: LogLine) -> bool:
    """Return whether a line matches the filters on single lines."""
    return (
        (not query.level or severity(line.level) >= severity(query.level))
        and query.round in {None, line.round}
        and query.text.lower() in f"{line.logger} {line.message}".lower()
    )


def _page(lines: Sequence[KeptLine], last_seq: int) -> LogPage:
    """Return the lines sorted by time: actors send their batches at different times."""
    return LogPage(tuple(sorted(lines, key=lambda each: each.line.at)), last_seq)


def tail(lines: Sequence[KeptLine]) -> tuple[str, ...]:
    """Return the lines as text."""
    return tuple(part for line in lines for part in _text(line).splitlines())


def _text(numbered: KeptLine) -> str:
    """Return a line with its time, level, round and logger."""
    line = numbered.line
    where = "" if line.round is None else f" [round {line.round}]"
    text = f"{line.at.astimezone(UTC):%H:%M:%SZ} {line.level}{where} {line.logger}: {line.message}"
    return f"... {numbered.left_out} lines are left out\n{text}" if numbered.left_out else text
