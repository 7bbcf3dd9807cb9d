"""A cluster's rounds in MLflow: a run of their own below the parent's run.

Which run that is comes with the parent's messages; what happens before is written down then. A
cluster trains on when MLflow is away: its parent is who decides whether that matters.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from flops_aggregator.checkpoints.files import Checkpoint
from flops_aggregator.tracking.mlflow_tracking import OPEN_TIMEOUT_SECONDS
from flops_aggregator.tracking.run_finder import CLUSTER_TAG, PARENT_TAG
from flops_contracts.events import RoundCompleted


class Run(Protocol):
    """What is needed of a run in MLflow; ``MlflowTracking`` is one."""

    def run_id(self) -> str:
        """Return its id, as soon as it is open; empty when that takes too long."""

    def start(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Open it, soon."""

    def record_round(self, completed: RoundCompleted) -> None:
        """Write a round down, soon."""

    def latest_checkpoint(self, timeout_seconds: float) -> Checkpoint | None:
        """Return what an aggregator before this one left, if it is known in time."""

    def save_soon(self, checkpoint: Checkpoint) -> None:
        """Keep it for an aggregator after this one."""

    def releases(self) -> int:
        """Return how many private results were noted."""

    def note_releases(self, count: int) -> None:
        """Write them down, and wait for it."""

    def finish(self) -> None:
        """End it well, with all that is still to be written."""


class NestedTracking:
    """Writes the rounds of the cluster aggregator ``instance`` in ``cluster``."""

    def __init__(
        self,
        run: Run,
        instance: str,
        cluster: str,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> None:
        self._run = run
        self._name = cluster or instance
        self._parameters = parameters
        self._tags = {**tags, "flops.instance": instance, CLUSTER_TAG: self._name}
        self._parent_run_id = ""
        self._early: list[RoundCompleted] = []

    def run_id(self) -> str:
        """Return the run that this cluster's clients may nest theirs in."""
        return self._run.run_id()

    def nest_in(self, parent_run_id: str) -> None:
        """Open the run below ``parent_run_id``, the first time that it is known."""
        if self._parent_run_id or not parent_run_id:
            return
        self._parent_run_id = parent_run_id
        tags = {**self._tags, PARENT_TAG: parent_run_id}
        self._run.start(self._name, self._parameters, tags)
        for completed in self._early:
            self._run.record_round(completed)
        self._early.clear()

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return what an aggregator before this one left, if MLflow tells it in time."""
        return self._run.latest_checkpoint(OPEN_TIMEOUT_SECONDS) if self._parent_run_id else None

    def save_soon(self, checkpoint: Checkpoint) -> None:
        """Keep it for an aggregator after this one, as soon as there is a run."""
        if self._parent_run_id:
            self._run.save_soon(checkpoint)

    def releases(self) -> int:
        """Return how many private results an aggregator before this one has let out."""
        return self._run.releases() if self._parent_run_id else 0

    def note_releases(self, count: int) -> None:
        """Write them down, if there is a run to write to."""
        if self._parent_run_id:
            self._run.note_releases(count)

    def record_round(self, completed: RoundCompleted) -> None:
        """Write a round down, as soon as there is a run."""
        if self._parent_run_id:
            self._run.record_round(completed)
        else:
            self._early.append(completed)

    def check(self) -> None:
        """Do nothing: see above."""

    def finish(self, report_missing: Callable[[str], None]) -> None:
        """End the run; say so when there never was one."""
        if self._parent_run_id:
            self._run.finish()
        elif self._early:
            report_missing(f"MLflow lacks the rounds of {self._name}: the parent named no run.")
