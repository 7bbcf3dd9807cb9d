"""The suite that all end-to-end tests of a run share: starting it is the expensive part."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flops_cli.local.network import Network
from flops_cli.local.suite import Secrets
from support.collector import Spans, running_collector
from support.shared import shared
from support.suite import SharedSuite, World, running_world

SUITE: Final = "support.e2e_suite:e2e_suite"
ROOM = {"vcpus": 16, "memory_mb": 16_384}
TOPOLOGY = [
    {"cluster": "east", "nodes": [{"name": "east-1", **ROOM}, {"name": "east-2", **ROOM}]},
    {"cluster": "west", "nodes": [{"name": "west-1", **ROOM}, {"name": "west-2", **ROOM}]},
    # Without learner nodes, and so without data.
    {"cluster": "north", "nodes": [{"name": "north-1", **ROOM, "addons": ["image-builder"]}]},
]


@contextmanager
def e2e_suite(folder: Path) -> Iterator[dict[str, str | int]]:
    """Start it, with traces, three fragments on its first node, and others on all learner nodes."""
    state = folder / "suite"
    with (
        running_collector() as collector,
        running_world(state, TOPOLOGY, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as world,
    ):
        world.provided(
            world.start_providing("mnist", partitions=3),
            world.start_providing("mnist-held-out", split="test"),
            world.start_providing("mnist-spread", partitions=4, nodes=4),
        )
        yield {
            "network": world.suite.network.prefix,
            "state": str(state),
            "pid": os.getpid(),
            "broker_password": world.suite.secrets.broker_password,
            "traces": collector.endpoint,
        }


@contextmanager
def shared_world() -> Iterator[World]:
    """Return what a user and an operator can do with it."""
    suite = shared(SUITE)
    secrets = Secrets(broker_password=suite["broker_password"])
    world = World(
        SharedSuite(Network(suite["network"]), secrets, suite["pid"]), Path(suite["state"])
    )
    with world.client:
        yield world


def shared_spans() -> Spans:
    """Return the spans of all its services."""
    return Spans(str(shared(SUITE)["traces"]))
