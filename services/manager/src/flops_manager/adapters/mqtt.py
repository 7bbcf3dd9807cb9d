"""The event bus over MQTT. The broker keeps what arrives while no manager is connected."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from flops_contracts.envelope import MalformedMessageError, decode, encode
from flops_contracts.events import Acknowledged, Actor, Event, Kind
from flops_contracts.roles import Role
from flops_contracts.topics import AGAIN, ALL_EVENTS, ROOT, actor_topics, topics_of
from flops_manager.adapters.backlog import Backlog
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings

logger = logging.getLogger(__name__)

ALL_RESULTS: Final = (f"{ROOT}/projects/+/events/+", f"{ROOT}/mocks/+/events/+")
"""The topics of results; ordinary events are one level higher."""

CLIENT_ID: Final = "flops-manager"
"""Stable, so that the session survives; only the holder of the worker's lease connects."""

Receive = Callable[[Event], None]


class MqttEventBus:
    """One persistent session at the broker, from ``open`` to ``close``.

    A second connection without a session receives retained results: some brokers send those to new
    subscriptions only, never to those of a persistent session.
    """

    def __init__(self, settings: MqttSettings, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._now = now
        self._connection: MqttConnection | None = None
        self._results: MqttConnection | None = None
        self._receive: Receive | None = None
        self._backlog = Backlog()

    def open(self, receive: Receive) -> None:
        """Connect and subscribe; messages that waited at the broker arrive now."""
        self._receive = receive
        connection = MqttConnection(self._settings, CLIENT_ID, is_persistent=True)
        connection.when_connected(partial(_ask_for_what_was_lost, connection))
        self._connection = connection
        try:
            self._listen(connection, ALL_EVENTS, receive, only_retained=False)
            self.ask_again()
        except BaseException:
            self.close()
            raise

    def ask_again(self) -> None:
        """Subscribe again to the topics that retain results."""
        receive, before = self._receive, self._results
        if receive is None:
            return
        if before is not None:
            before.close()
        results = MqttConnection(self._settings, f"{CLIENT_ID}-{uuid4().hex[:12]}")
        self._results = results
        self._listen(results, ALL_RESULTS, receive, only_retained=True)
        if self._receive is None:
            # Closed by another thread meanwhile.
            results.close()

    def close(self) -> None:
        """Disconnect, also while another thread connects."""
        self._receive = None
        for connection in (self._results, self._connection):
            if connection is not None:
                connection.close()
        self._results = self._connection = None

    def hearing_since(self) -> datetime | None:
        """Return since when the broker is connected without a gap; None while it is not.

        A backlog of unprocessed messages counts as a gap, too.
        """
        connection = self._connection
        seconds = connection.connected_seconds if connection is not None else None
        if seconds is None:
            return None
        return self._now() - timedelta(seconds=min(seconds, self._backlog.seconds_in_time()))

    def publish(self, event: Event, noun: str) -> None:
        """Send the event to everybody who watches this project or mock."""
        self._send(topics_of(noun, event.project_id).events, encode(event))

    def acknowledge(self, event: Event) -> None:
        """Confirm a result to its actor, and clear the topic that retains it."""
        topics = actor_topics(event.actor.role, event.project_id)
        order = Event(
            event_id=uuid4().hex,
            project_id=event.project_id,
            actor=Actor(Role.MANAGER, "manager"),
            stage=event.stage,
            kind=Kind.ACKNOWLEDGED,
            at=self._now(),
            payload=Acknowledged(event.event_id),
        )
        self._send(topics.control, encode(order))
        self._send(topics.result(event.actor.instance), b"", retain=True)

    def _send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        connection = self._connection
        if connection is None:
            logger.warning("not connected: nothing is sent on %s", topic)
            return
        connection.send(topic, payload, retain=retain)

    def _listen(
        self,
        connection: MqttConnection,
        topics: tuple[str, ...],
        receive: Receive,
        *,
        only_retained: bool,
    ) -> None:
        def take(topic: str, data: bytes) -> None:
            if only_retained:
                # The events before a result arrive over the other connection, and first.
                if self.hearing_since() is not None:
                    self._take(receive, topic, data)
                return
            with self._backlog.working():
                self._take(receive, topic, data)

        for topic in topics:
            connection.subscribe(topic, take, only_retained=only_retained)
        connection.connect()

    def _take(self, receive: Receive, topic: str, data: bytes) -> None:
        # An empty payload is a result being cleared.
        if not data:
            return
        try:
            event = decode(data)
        except MalformedMessageError as error:
            logger.warning("dropped a message on %s: %s", topic, error)
            return
        if event.actor.role is Role.MANAGER:
            return
        events = actor_topics(event.actor.role, event.project_id).events
        if topic != events and not topic.startswith(f"{events}/"):
            logger.warning("dropped a message on %s that belongs on %s", topic, events)
            return
        receive(event)


def _ask_for_what_was_lost(connection: MqttConnection, has_session: bool) -> None:
    """Make actors repeat their last events, to a broker that has lost what waited for us."""
    if not has_session:
        connection.send(AGAIN, b"")
