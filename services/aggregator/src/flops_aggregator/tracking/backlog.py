"""A bounded queue of metrics for MLflow, which lasts while its server is away."""

import importlib
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from flops_aggregator.metrics import TRACKING_BACKLOG
from flops_aggregator.tracking.mlflow_server import MlflowServer

logger = logging.getLogger(__name__)

MAX_BACKLOG: Final = 10_000
"""The most entries that wait; beyond that, the oldest are lost."""
BATCH: Final = 50
"""Entries in one request: MLflow takes at most 1,000 metrics."""


@dataclass(frozen=True)
class Entry:
    """Metrics of a round or of the machine, ``at`` in milliseconds since 1970."""

    at: int
    step: int
    metrics: Mapping[str, float]
    is_round: bool = True


class Backlog:
    """``rounds`` are the steps of rounds that the run has already; they are not written again."""

    def __init__(self, server: MlflowServer) -> None:
        self._server = server
        self._entries: deque[Entry] = deque(maxlen=MAX_BACKLOG)
        self.rounds: set[int] = set()

    def add(self, entry: Entry) -> None:
        """Queue it for the next ``write``."""
        if len(self._entries) == MAX_BACKLOG:
            logger.warning("MLflow was away for so long that the oldest round is lost")
        self._entries.append(entry)
        TRACKING_BACKLOG.set(len(self._entries))

    def write(self, run_id: str) -> None:
        """Write all entries; those that fail stay queued. Raises what mlflow raises."""
        entities: Any = importlib.import_module("mlflow.entities")
        while listed := list(islice(self._entries, BATCH)):
            metrics = [
                entities.Metric(key, value, entry.at, entry.step)
                for entry in listed
                if not (entry.is_round and entry.step in self.rounds)
                for key, value in entry.metrics.items()
            ]
            if metrics:
                log = partial(self._server.client.log_batch, run_id, metrics=metrics)
                self._server.patiently(log)
            self.rounds.update(entry.step for entry in listed if entry.is_round)
            for entry in listed:
                # The oldest may have been dropped meanwhile.
                if self._entries and self._entries[0] is entry:
                    self._entries.popleft()
            TRACKING_BACKLOG.set(len(self._entries))
