"""Sends what an actor logs to the manager, beside its work and within bounds.

A thread sends a batch a second; logging never waits. What does not fit is left out, which the
numbers of the lines tell.
"""

import logging
import threading
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import Final

from flops_contracts.log_lines import LONGEST_MESSAGE, MOST_LINES, LogBatch, LogLine, encode_logs
from flops_runtime.logs import CONTEXT, LogContext
from flops_runtime.mqtt import BrokerUnreachableError, MqttConnection
from flops_runtime.settings import ActorSettings

SECONDS: Final = 1.0
WAITING_LINES: Final = 2000
"""What waits to be sent at most; of more, the oldest lines are left out."""

BATCH_CHARACTERS: Final = 100_000
FLUSH_SECONDS: Final = 3.0
"""How long what waits may still take to leave before the end."""

_TRACEBACKS: Final = logging.Formatter()
_IGNORED: Final = ("paho",)


class LogShipper(logging.Handler):
    """A handler whose lines go to the manager; ``is_held`` keeps them here until ``decide``."""

    def __init__(
        self,
        settings: ActorSettings,
        connection: MqttConnection,
        *,
        is_held: bool = False,
        context: LogContext = CONTEXT,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._connection = connection
        self._context = context
        self._run = uuid.uuid4().hex
        self._lines: deque[LogLine] = deque(maxlen=WAITING_LINES)
        self._number = 0
        self._is_held = is_held
        self._is_open = True
        self._woken = threading.Event()
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="logs", daemon=True)

    def start(self) -> None:
        """Take what is logged from now on, and begin to send."""
        logging.getLogger().addHandler(self)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line until it is sent."""
        if not self._is_open or record.name.startswith(_IGNORED):
            return
        context = self._context.values()
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + _TRACEBACKS.formatException(record.exc_info)
        message = self._context.secrets.hide(message)
        # The handler's own lock is held, so numbers and places agree.
        self._number += 1
        self._lines.append(
            LogLine(
                number=self._number,
                at=datetime.fromtimestamp(record.created, UTC),
                level=record.levelname[:20],
                logger=record.name[:200],
                message=message[:LONGEST_MESSAGE],
                round=context.get("round"),
                trace_id=str(context.get("trace_id", "")),
            )
        )

    def decide(self, *, may_leave: bool) -> None:
        """Send what was held back, or forget it and everything that follows."""
        # Who logs holds the same lock, and who sends must not come in between.
        self.acquire()
        try:
            if not may_leave:
                self._is_open = False
                self._lines.clear()
            self._is_held = not may_leave
        finally:
            self.release()

    def flush_to_manager(self, timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Send what waits before something final is said; give up after ``timeout_seconds``."""
        ended = threading.Thread(target=self._send_all, name="flush", daemon=True)
        ended.start()
        ended.join(timeout_seconds)

    def close(self) -> None:
        """Send the rest and end; safe to call twice."""
        if self._thread.is_alive():
            self.flush_to_manager()
        self._is_open = False
        self._woken.set()
        logging.getLogger().removeHandler(self)
        super().close()

    def _work(self) -> None:
        while not self._woken.wait(SECONDS):
            self._send_all()

    def _send_all(self) -> None:
        with self._sending:
            while self._lines and not self._is_held and self._connection.is_connected:
                lines = self._next_lines()
                batch = LogBatch(self._settings.subject_id, self._settings.actor, self._run, lines)
                try:
                    self._connection.publish(self._settings.topics.logs, encode_logs(batch))
                except BrokerUnreachableError:
                    # They may have arrived; the manager knows a batch that it has seen.
                    self._put_back(lines)
                    return

    def _next_lines(self) -> tuple[LogLine, ...]:
        taken: list[LogLine] = []
        characters = 0
        while self._lines and len(taken) < MOST_LINES and characters < BATCH_CHARACTERS:
            taken.append(self._lines.popleft())
            characters += len(taken[-1].message)
        return tuple(taken)

    def _put_back(self, lines: tuple[LogLine, ...]) -> None:
        room = WAITING_LINES - len(self._lines)
        if room > 0:
            self._lines.extendleft(reversed(lines[-room:]))
