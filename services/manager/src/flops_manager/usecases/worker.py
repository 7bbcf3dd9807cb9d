"""The worker: it holds the lease, carries out commands, receives events and watches."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from flops_contracts.errors import FlopsError
from flops_contracts.events import Event
from flops_manager import metrics
from flops_manager.ports.event_bus import EventBus
from flops_manager.ports.leases import Leases
from flops_manager.usecases.inbox import Inbox
from flops_manager.usecases.kept_logs import LogIntake
from flops_manager.usecases.outbox import Outbox
from flops_manager.usecases.rhythm import Lookout, Rhythm
from flops_manager.usecases.watch import Watch

logger = logging.getLogger(__name__)

LEASE: Final = "worker"
AT_ONCE: Final = 10
SWEEP_SECONDS: Final = 3600.0
"""Between two deletions of old logs."""


@dataclass(frozen=True)
class Subscriptions:
    """The subscriptions of the active worker: events for the inbox, and logs."""

    inbox: Inbox
    bus: EventBus
    logs: LogIntake

    def open(self, receive: Callable[[Event], None]) -> None:
        """Subscribe; if that raises ``BrokerUnreachableError``, nothing stays subscribed."""
        try:
            self.bus.open(receive)
            self.logs.open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Unsubscribe; safe to call twice, and while another thread opens."""
        self.bus.close()
        self.logs.close()


class Worker:
    """Runs while it holds the lease; a second one waits until the first is gone."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        outboxes: tuple[Outbox[Any], ...],
        watch: Watch,
        lookout: Lookout,
        leases: Leases,
        holder: str,
        rhythm: Rhythm,
    ) -> None:
        self._subscriptions = subscriptions
        self._outboxes = outboxes
        self._watch = watch
        self._leases = leases
        self._holder = holder
        self._rhythm = rhythm
        self._lookout = lookout
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._resting: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._is_leader = False
        self._is_listening = False
        self._lease_until = 0.0
        self._watching: Future[None] | None = None
        self._connecting: Future[None] | None = None

    @property
    def is_active(self) -> bool:
        """Return whether this worker holds the lease and receives events."""
        return self._is_leader and self._is_listening

    @property
    def is_well(self) -> bool:
        """Return whether it works or stands by; one that hangs is not well."""
        return time.monotonic() <= self._lease_until and self._is_listening is self._is_leader

    def wake(self) -> None:
        """Make it look at the outboxes now."""
        self._woken.set()

    def stop(self) -> None:
        """Make ``run`` return."""
        self._stopping.set()
        self._woken.set()

    def run(self) -> None:
        """Work until ``stop`` is called."""
        try:
            with ThreadPoolExecutor(AT_ONCE, "worker") as pool:
                while not self._stopping.is_set():
                    self._woken.clear()
                    self.turn(pool)
                    self._woken.wait(self._rhythm.poll_seconds)
                # The pool ends with its last thread, and one may still wait for the broker.
                self._subscriptions.close()
        finally:
            self._step_down()
            self._leases.release(LEASE, self._holder)

    def turn(self, pool: Executor) -> None:
        """Begin whatever is due, in ``pool``; ``run`` calls this again and again."""
        try:
            self._keep_lease()
            if not self._is_leader:
                return
            self._keep_listening(pool)
            busy = sum(self._dispatch(pool, outbox) for outbox in self._outboxes)
            metrics.BUSY_OUTBOXES.set(busy)
            metrics.RESTING_OUTBOXES.set(len(self._resting))
            self._look_around(pool)
        except FlopsError as error:
            # The store is away; the next turn tries again.
            logger.warning("this turn failed: %s", error)

    def _keep_lease(self) -> None:
        """Take or renew the lease; without it, or without news of it, do nothing more."""
        seconds = self._rhythm.lease_seconds
        if self._is_leader and time.monotonic() > self._lease_until:
            logger.warning("%s could not renew its lease in time", self._holder)
            self._step_down()
        if not self._is_due("lease", seconds / 3):
            return
        asked_at = time.monotonic()
        holds = self._leases.acquire(LEASE, self._holder, seconds)
        if holds and not self._is_leader:
            logger.info("%s is the active worker", self._holder)
            self._watch.begin()
            self._lookout.begin()
        if not holds and self._is_leader:
            logger.warning("%s lost the lease", self._holder)
            self._step_down()
        self._is_leader = holds
        self._lease_until = asked_at + seconds
        metrics.LEASE_HELD.set(holds)

    def _keep_listening(self, pool: Executor) -> None:
        """Connect to the bus in the background: a broker that is away must not cost the lease."""
        if self._connecting is not None and not self._connecting.done():
            return
        what, seconds = (
            ("ask", self._rhythm.ask_again_seconds)
            if self._is_listening
            else ("bus", self._rhythm.bus_retry_seconds)
        )
        if self._is_due(what, seconds):
            self._connecting = _submit(pool, self._listen)

    def _listen(self) -> None:
        if not self._may_act():
            return
        try:
            if self._is_listening:
                self._subscriptions.bus.ask_again()
                return
            self._subscriptions.open(self._take)
        except FlopsError as error:
            logger.warning("cannot receive events: %s", error)
            return
        self._due["ask"] = time.monotonic() + self._rhythm.ask_again_seconds
        self._is_listening = True
        metrics.HEARING.set(1)
        if not self._is_leader or self._stopping.is_set():
            self._step_down()

    def _take(self, event: Event) -> None:
        self._subscriptions.inbox.take(event)
        self.wake()

    def _step_down(self) -> None:
        self._is_leader = False
        metrics.stand_by()
        self._lookout.stop()
        self._due.pop("changes", None)
        if self._is_listening:
            self._is_listening = False
            self._subscriptions.close()

    def _dispatch(self, pool: Executor, outbox: Outbox[Any]) -> int:
        """Begin what is due; return how many have something to do."""
        now, busy = time.monotonic(), outbox.busy()
        for subject_id in busy:
            with self._lock:
                if subject_id in self._busy or self._resting.get(subject_id, 0.0) > now:
                    continue
                self._busy.add(subject_id)
            _submit(pool, partial(self._drain, outbox, subject_id))
        return len(busy)

    def _drain(self, outbox: Outbox[Any], subject_id: str) -> None:
        rest = self._rhythm.bus_retry_seconds
        try:
            rest = outbox.drain(subject_id, self._may_act)
        except FlopsError as error:
            logger.warning("the outbox of %s has to wait: %s", subject_id, error)
        finally:
            with self._lock:
                self._busy.discard(subject_id)
                self._resting.pop(subject_id, None)
                if rest:
                    self._resting[subject_id] = time.monotonic() + rest
            if not rest:
                self.wake()

    def _may_act(self) -> bool:
        is_in_time = time.monotonic() <= self._lease_until
        return self._is_leader and is_in_time and not self._stopping.is_set()

    def _look_around(self, pool: Executor) -> None:
        if self._is_due("changes", self._rhythm.renew_hearing_seconds):
            _submit(pool, self._hear_changes)
        if self._is_due("old logs", SWEEP_SECONDS):
            _submit(pool, self._sweep_logs)
        is_idle = self._watching is None or self._watching.done()
        if is_idle and self._lookout.is_due():
            self._watching = _submit(pool, self._look)

    def _sweep_logs(self) -> None:
        try:
            self._subscriptions.logs.sweep()
        except FlopsError as error:
            logger.warning("old logs are not removed: %s", error)

    def _hear_changes(self) -> None:
        if self._may_act():
            self._lookout.hear(self.wake)
        if not self._may_act():
            self._lookout.stop()

    def _look(self) -> None:
        try:
            self._watch.look()
        except FlopsError as error:
            logger.warning("cannot watch: %s", error)

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True


def _submit(pool: Executor, act: Callable[[], None]) -> Future[None]:
    future = pool.submit(act)
    future.add_done_callback(_log_bug)
    return future


def _log_bug(future: Future[None]) -> None:
    """Log an exception that nobody would read from the future."""
    error = None if future.cancelled() else future.exception()
    if error is not None:
        logger.error("unexpected failure in the worker", exc_info=error)
