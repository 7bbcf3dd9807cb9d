"""Publishes a summary of the node's data whenever it changes: tags, rows, columns, no values."""

import json
import logging
import threading
from collections.abc import Callable
from typing import Final

from flops_contracts.declared import dump
from flops_contracts.errors import FlopsError
from flops_contracts.topics import node_data_topic
from flops_flight.messages import NodeData
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 15.0
REPEAT_SECONDS: Final = 300.0
"""Free space also changes without an upload."""


class Announcer:
    """Publishes the inventory as a retained message, from its own thread; retries for ever."""

    def __init__(
        self,
        settings: MqttSettings,
        node: str,
        inventory: Callable[[], NodeData],
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._settings = settings
        self._node = node
        self._inventory = inventory
        self._retry_seconds = retry_seconds
        self._is_due = threading.Event()
        self._is_closing = threading.Event()
        self._connection: MqttConnection | None = None
        self._thread = threading.Thread(target=self._announce, name="announce", daemon=True)

    def start(self) -> None:
        """Announce the inventory now and after every change."""
        self._is_due.set()
        self._thread.start()

    def changed(self) -> None:
        """Schedule an announcement; returns at once."""
        self._is_due.set()

    def close(self) -> None:
        """Stop announcing."""
        self._is_closing.set()
        self._is_due.set()
        if self._connection is not None:
            self._connection.close()
        self._thread.join(5)

    def _announce(self) -> None:
        while not self._is_closing.is_set():
            try:
                self._connected()
            except FlopsError as error:
                logger.warning("cannot announce the data of this node: %s", error)
            self._is_closing.wait(self._retry_seconds)

    def _connected(self) -> None:
        """Announce until the connection fails."""
        self._connection = MqttConnection(self._settings, f"data-{self._node}")
        with self._connection as connection:
            while not self._is_closing.is_set():
                self._is_due.wait(REPEAT_SECONDS)
                self._is_due.clear()
                if not self._is_closing.is_set():
                    document = {"node": self._node, **dump(self._inventory())}
                    payload = json.dumps(document).encode()
                    connection.publish(node_data_topic(self._node), payload, retain=True)
