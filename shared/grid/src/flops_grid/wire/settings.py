"""The times and sizes of the grid, and the gRPC options for them."""

from dataclasses import dataclass
from typing import Final, Self

from flops_grid.wire.frames import MAX_GRPC_MESSAGE_BYTES, MAX_MESSAGE_BYTES

METHOD: Final = "/flops.Fleet/Join"
SERVICE: Final = "flops.Fleet"

MOST_AHEAD_BYTES: Final = 2 * 1024 * 1024
"""The most bytes that a peer may send ahead of its reader: 40 MB/s at a latency of 50 ms."""
LEAST_AHEAD_BYTES: Final = 128 * 1024


@dataclass(frozen=True)
class GridSettings:
    """The settings of the aggregator's end.

    ``grace_seconds`` is how long a client may be away before its work counts as failed; for
    ``intake_bytes`` and ``stall_seconds`` see ``intake``. Each end sends a heartbeat every
    ``beat_seconds``; one that sends nothing for ``silence_seconds`` counts as frozen. Each client
    may send ``ahead_bytes`` before they are read.
    """

    grace_seconds: float = 15.0
    keepalive_seconds: float = 4.0
    hello_seconds: float = 10.0
    beat_seconds: float = 2.0
    silence_seconds: float = 8.0
    goodbye_seconds: float = 5.0
    intake_bytes: int = 32 * 1024 * 1024
    stall_seconds: float = 5.0
    max_learners: int = 1000
    max_message_bytes: int = MAX_MESSAGE_BYTES
    ahead_bytes: int = MOST_AHEAD_BYTES

    @classmethod
    def for_learners(cls, count: int) -> Self:
        """Return settings for which the bytes that ``count`` clients send ahead fit into memory."""
        ahead = cls.intake_bytes // (4 * max(1, count))
        return cls(ahead_bytes=min(MOST_AHEAD_BYTES, max(LEAST_AHEAD_BYTES, ahead)))


@dataclass(frozen=True)
class LinkSettings:
    """The settings of the client's end.

    ``unreachable_seconds`` is the longest single outage of the aggregator, ``duplicate_seconds``
    how long to retry while another connection has the client's name: the aggregator needs a while
    to notice a lost machine.
    """

    unreachable_seconds: float = 300.0
    duplicate_seconds: float = 30.0
    connect_seconds: float = 10.0
    keepalive_seconds: float = 4.0
    beat_seconds: float = 2.0
    silence_seconds: float = 8.0
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 5.0
    malformed_attempts: int = 5
    max_message_bytes: int = MAX_MESSAGE_BYTES


def grpc_options(
    keepalive_seconds: float, ahead_bytes: int = MOST_AHEAD_BYTES
) -> list[tuple[str, int]]:
    """Return the options of both ends: a frozen peer is noticed within two keepalive times.

    ``keepalive_timeout_ms`` alone noticed one after a minute; ``ping_timeout_ms`` is what counts.
    """
    milliseconds = int(keepalive_seconds * 1000)
    return [
        ("grpc.keepalive_time_ms", milliseconds),
        ("grpc.keepalive_timeout_ms", milliseconds),
        ("grpc.http2.ping_timeout_ms", milliseconds),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
        ("grpc.max_receive_message_length", MAX_GRPC_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_GRPC_MESSAGE_BYTES),
        # gRPC's own guess of it holds whole models.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", ahead_bytes),
        # An aggregator that starts is found within a second; our own pauses bound the rest.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 5000),
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.so_reuseport", 0),
        ("grpc.enable_http_proxy", 0),
    ]
