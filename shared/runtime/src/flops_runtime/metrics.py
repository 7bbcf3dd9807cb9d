"""Metrics of every process: its connections to the broker, and buckets for the others.

The objects are module level, as is the client library's custom: a process has one of each, and
``StatusServer`` shows them. What a service says beyond it is in its own ``metrics.py``.
"""

import threading
from typing import Final

from prometheus_client import Counter, Gauge

WORK_SECONDS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds for work that takes from a moment to an hour: training, building, storing."""

UP, DOWN, CLOSED = "up", "down", "closed"

MQTT_CONNECTIONS: Final = Gauge(
    "flops_mqtt_connections",
    "Connections to the broker that are wanted, by whether they are up or down.",
    ["state"],
)
MQTT_SENT: Final = Counter(
    "flops_mqtt_sent_messages", "Messages that the broker confirmed to have taken."
)
MQTT_RECEIVED: Final = Counter(
    "flops_mqtt_received_messages",
    "Messages that arrived, by whether they were taken, left with the broker, or dropped.",
    ["outcome"],
)
MQTT_RECONNECTS: Final = Counter(
    "flops_mqtt_reconnects", "Connections to the broker that were made again after a loss."
)
MQTT_UNSENT: Final = Gauge(
    "flops_mqtt_unsent_messages", "Messages handed over that the broker has not confirmed yet."
)


class MqttLine:
    """Counts one connection: whether it is up, and what it has not got rid of."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._state = ""
        self._unsent = 0
        self._was_up = False

    def is_now(self, state: str) -> None:
        """Called when it is ``UP``, ``DOWN``, or ``CLOSED`` for good."""
        with self._lock:
            if self._state in {state, CLOSED}:
                return
            if self._state:
                MQTT_CONNECTIONS.labels(self._state).dec()
            if state == CLOSED:
                MQTT_UNSENT.dec(self._unsent)
                self._unsent = 0
                self._lock.notify_all()
            else:
                MQTT_CONNECTIONS.labels(state).inc()
            if state == UP and self._was_up:
                MQTT_RECONNECTS.inc()
            self._was_up = self._was_up or state == UP
            self._state = state

    def handed_over(self) -> None:
        """Called when a message is queued."""
        with self._lock:
            if self._state != CLOSED:
                self._unsent += 1
                MQTT_UNSENT.inc()

    def confirmed(self) -> None:
        """Called when the broker has a message."""
        with self._lock:
            MQTT_SENT.inc()
            if self._unsent:
                self._unsent -= 1
                MQTT_UNSENT.dec()
            if not self._unsent:
                self._lock.notify_all()

    def is_empty(self, timeout_seconds: float) -> bool:
        """Wait until nothing waits to be sent; say whether that came in time."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._unsent, timeout_seconds)
