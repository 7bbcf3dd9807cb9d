"""How an actor tells the manager and everybody who watches what happens."""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from flops_contracts.envelope import MalformedMessageError, decode, encode
from flops_contracts.events import (
    PASSING,
    Event,
    Failure,
    Kind,
    Notice,
    Progress,
)
from flops_contracts.topics import AGAIN
from flops_runtime import tracing
from flops_runtime.log_shipping import FLUSH_SECONDS, LogShipper
from flops_runtime.logs import LastLines
from flops_runtime.mqtt import MqttConnection
from flops_runtime.recent_events import RecentEvents
from flops_runtime.settings import ActorSettings
from flops_runtime.status import Status

logger = logging.getLogger(__name__)

REPEAT_SECONDS: Final = 10.0
"""How often a result is delivered again until it is confirmed."""


def utc_now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


class Reporter:
    """Publishes an actor's events, and waits for the manager's answers on ``control``."""

    def __init__(
        self,
        settings: ActorSettings,
        connection: MqttConnection,
        status: Status,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._now = now
        self._answers = threading.Condition()
        self._acknowledged: set[str] = set()
        self._delivered: dict[str, tuple[str, bytes]] = {}
        self._recent = RecentEvents()
        self._connected_times = 0
        self.status = status
        self.logs = LogShipper(settings, connection, is_held=settings.holds_logs)
        self.last_lines = LastLines()
        self.lines_may_leave = not settings.holds_logs
        if not settings.ships_logs:
            self.logs.decide(may_leave=False)

    def listen(self) -> None:
        """Subscribe to the orders of this project; call it before the connection is made."""
        self._connection.subscribe(self._settings.topics.control, self._take)
        self._connection.subscribe(AGAIN, lambda *_: self._say_again())
        self._connection.when_connected(self._be_connected)

    def report(self, kind: Kind, payload: Any) -> str:
        """Send an event that need not survive a crash of this process; return its id."""
        event = self._event(kind, payload)
        data = encode(event)
        if kind not in PASSING:
            self._recent.keep(data)
        self._connection.send(self._settings.topics.events, data)
        return event.event_id

    def progress(
        self, message: str, done: float = 0, total: float | None = None, unit: str = ""
    ) -> None:
        """Report the progress of a long step to the log, the status API and observers."""
        logger.info("%s", message if total is None else f"{message}: {done:g}/{total:g} {unit}")
        self.status.doing(message, done, total)
        self.report(Kind.PROGRESS, Progress(message, done, total, unit))

    def notice(self, message: str) -> None:
        """Publish a notice for the user."""
        logger.warning("%s", message)
        self.report(Kind.NOTICE, Notice(message))

    def deliver(self, kind: Kind, payload: Any) -> str:
        """Send this actor's result, retained by the broker until the manager clears it.

        Returns its event id; raises ``BrokerUnreachableError``.
        """
        self.logs.flush_to_manager()
        event = self._event(kind, payload)
        topic = self._settings.topics.result(self._settings.actor.instance)
        data = encode(event)
        self._delivered[event.event_id] = (topic, data)
        self._connection.publish(topic, data, retain=True)
        return event.event_id

    def decide_on_logs(self, *, may_leave: bool) -> None:
        """Set whether log lines, including a failure's last lines, may leave this node."""
        self.lines_may_leave = may_leave
        self.logs.decide(may_leave=may_leave)
        if not may_leave:
            self.last_lines.keep_nothing()

    def fail(self, failure: Failure) -> str:
        """Deliver why this actor gives up; like ``deliver``."""
        return self.deliver(Kind.FAILED, failure)

    def is_acknowledged(self, event_id: str, timeout_seconds: float) -> bool:
        """Wait until the manager has confirmed ``event_id``; say whether it did in time.

        It is said again now and then: a broker that was killed has forgotten it.
        """
        end = time.monotonic() + timeout_seconds
        while (left := end - time.monotonic()) > 0:
            with self._answers:
                patience = min(left, REPEAT_SECONDS)
                if self._answers.wait_for(lambda: event_id in self._acknowledged, patience):
                    return True
            if event_id in self._delivered:
                self._connection.send(*self._delivered[event_id], retain=True)
        return False

    def finish(self) -> None:
        """Send all queued messages to the broker before the connection ends."""
        if not self._connection.is_connected:
            return
        if self._connected_times > 1:
            # The manager may end this process before it asks for what was lost.
            self._say_again()
        self.flush()

    def flush(self, timeout_seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until the broker has all that was said; say whether it has, in time."""
        return self._connection.flush(timeout_seconds)

    def _be_connected(self, _has_session: bool) -> None:
        self._connected_times += 1
        self._say_again()

    def _say_again(self) -> None:
        """Repeat the last events, and results that nobody confirmed, in this order.

        A broker that was killed has forgotten what it had not passed on.
        """
        for data in self._recent.all():
            self._connection.send(self._settings.topics.events, data)
        for event_id, (topic, data) in tuple(self._delivered.items()):
            if event_id not in self._acknowledged:
                self._connection.send(topic, data, retain=True)

    def _event(self, kind: Kind, payload: Any) -> Event:
        return Event(
            event_id=uuid.uuid4().hex,
            project_id=self._settings.subject_id,
            actor=self._settings.actor,
            stage=self._settings.stage,
            kind=kind,
            at=self._now(),
            payload=payload,
            trace=tracing.current(),
        )

    def _take(self, _topic: str, data: bytes) -> None:
        if not data:
            return
        try:
            order = decode(data)
        except MalformedMessageError as error:
            logger.warning("dropped an order: %s", error)
            return
        if order.kind is Kind.ACKNOWLEDGED:
            with self._answers:
                self._acknowledged.add(order.payload.event_id)
                self._answers.notify_all()
