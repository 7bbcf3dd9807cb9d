"""Logs of actors, over a connection of its own: many log lines must not delay events."""

import logging
from collections.abc import Callable
from typing import Final

from flops_contracts.envelope import MalformedMessageError
from flops_contracts.log_lines import LogBatch, decode_logs
from flops_contracts.topics import ALL_LOGS, actor_topics
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings

logger = logging.getLogger(__name__)

CLIENT_ID: Final = "flops-manager-logs"
"""Stable: the broker keeps what is sent while no manager listens."""


class MqttLogFeed:
    """``LogFeed`` by a persistent session at the broker."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._connection: MqttConnection | None = None

    def open(self, receive: Callable[[LogBatch], None]) -> None:
        """See the port."""

        def take(topic: str, data: bytes) -> None:
            try:
                batch = decode_logs(data)
            except MalformedMessageError as error:
                logger.warning("dropped log lines on %s: %s", topic, str(error)[:300])
                return
            if topic == actor_topics(batch.actor.role, batch.project_id).logs:
                receive(batch)

        connection = MqttConnection(self._settings, CLIENT_ID, is_persistent=True)
        for topic in ALL_LOGS:
            connection.subscribe(topic, take)
        self._connection = connection
        connection.connect()

    def close(self) -> None:
        """See the port."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
