"""The ports that services listen on unless they are told otherwise."""

from typing import Final

GRID_PORT: Final = 8080
"""Aggregators, for the clients of their grid."""

MODEL_PORT: Final = 8080
"""Model servers: MLflow's inference protocol."""

TRACKING_PORT: Final = 7027
"""Tracking servers: MLflow."""

OBSERVER_PORT: Final = 2727
"""Project observers: their pages."""

DATA_SERVER_PORT: Final = 11027
"""Data servers: Arrow Flight. NodeEngine publishes it, and devices in the field know it."""

NODE_DATA_SERVER: Final = f"172.17.0.1:{DATA_SERVER_PORT}"
"""A node's data server, as containers reach it: NodeEngine runs it on Docker's default bridge."""

STATUS_PORT: Final = 5080
"""The status API of every process."""

USED_PORTS: Final = (
    GRID_PORT,
    MODEL_PORT,
    TRACKING_PORT,
    OBSERVER_PORT,
    DATA_SERVER_PORT,
    STATUS_PORT,
    50103,
)
"""Ports that services of a cluster dial at each other, and NodeEngine's own (50103)."""
