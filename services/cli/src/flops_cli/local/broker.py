"""The embedded broker's configuration: rumqttd's TOML, with one user and a password."""

import os
from pathlib import Path
from typing import Final

USER: Final = "flops"

_TEMPLATE: Final = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v4.1]
name = "v4"
listen = "{listen}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true

[v4.1.connections.auth]
{user} = "{password}"
"""


def write_configuration(file: Path, address: str, port: int, password: str) -> None:
    """Write it readable only by the user; ``password`` consists of letters, digits, - and _."""
    text = _TEMPLATE.format(listen=f"{address}:{port}", user=USER, password=password)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
