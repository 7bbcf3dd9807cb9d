"""A real MQTT broker of its own for a test: rumqttd, from the wheel ``iotcore``."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.loopback import free_port, is_listening
from support.process_logs import new_log
from support.waiting import until

USER = "flops"
PASSWORD = "only-for-this-test"

_CONFIGURATION = """
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v4.1]
name = "v4"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
[v4.1.connections.auth]
{user} = "{password}"
"""


@dataclass(frozen=True)
class Broker:
    """The address and the credentials of a broker."""

    port: int

    @property
    def url(self) -> str:
        return f"mqtt://{USER}@127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of an actor that uses it."""
        return {"FLOPS_MQTT_URL": self.url, "FLOPS_MQTT_PASSWORD": PASSWORD}


@contextmanager
def running_broker(port: int = 0) -> Iterator[Broker]:
    """Start a broker on a free port, or on ``port``, and stop it by its pid with all it kept."""
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rumqttd.toml"
        file.write_text(_CONFIGURATION.format(port=port, user=USER, password=PASSWORD))
        with new_log("broker").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "iotcore", "--config", str(file)], stdout=log, stderr=log
            )
        try:
            until(lambda: is_listening(port), what="the broker listens")
            yield Broker(port)
        finally:
            process.terminate()
            process.wait(300)
