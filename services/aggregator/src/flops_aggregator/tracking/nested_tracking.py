"""A cluster's rounds in MLflow: a run nested in the parent's run.

The parent's run is known from its messages; earlier rounds are recorded then. A cluster goes on
training while MLflow is unreachable: its parent decides whether that matters.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from flops_aggregator.checkpoints.files import Checkpoint
from flops_aggregator.tracking.mlflow_tracking import OPEN_TIMEOUT_SECONDS
from flops_aggregator.tracking.run_finder import CLUSTER_TAG, PARENT_TAG
from flops_contracts.events import RoundCompleted


class Run(Protocol):
    """The part of ``MlflowTracking`` that is used here."""

    def run_id(self) -> str:
        """Return its id when it is open; empty if that takes too long."""

    def start(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Open it in the background."""

    def record_round(self, completed: RoundCompleted) -> None:
        """Record a round in the background."""

    def latest_checkpoint(self, timeout_seconds: float) -> Checkpoint | None:
        """Return the checkpoint of an earlier aggregator, if it is known in time."""

    def save_soon(self, checkpoint: Checkpoint) -> None:
        """Store it in the background."""

    def releases(self) -> int:
        """Return the recorded number of private releases."""

    def note_releases(self, count: int) -> None:
        """Record the number, and return when it is stored."""

    def finish(self) -> None:
        """End it as finished after all that is still queued."""


class NestedTracking:
    """Records the rounds of the aggregator ``instance`` of ``cluster``."""

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
        """Return the id of the run for this cluster's clients to nest theirs in."""
        return self._run.run_id()

    def nest_in(self, parent_run_id: str) -> None:
        """Open the run below ``parent_run_id`` as soon as that is known."""
        if self._parent_run_id or not parent_run_id:
            return
        self._parent_run_id = parent_run_id
        tags = {**self._tags, PARENT_TAG: parent_run_id}
        self._run.start(self._name, self._parameters, tags)
        for completed in self._early:
            self._run.record_round(completed)
        self._early.clear()

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint of an earlier aggregator, if MLflow returns it in time."""
        return self._run.latest_checkpoint(OPEN_TIMEOUT_SECONDS) if self._parent_run_id else None

    def save_soon(self, checkpoint: Checkpoint) -> None:
        """Store it in the background if there is a run."""
        if self._parent_run_id:
            self._run.save_soon(checkpoint)

    def releases(self) -> int:
        """Return the number of private releases so far."""
        return self._run.releases() if self._parent_run_id else 0

    def note_releases(self, count: int) -> None:
        """Record the number if there is a run."""
        if self._parent_run_id:
            self._run.note_releases(count)

    def record_round(self, completed: RoundCompleted) -> None:
        """Record a round as soon as there is a run."""
        if self._parent_run_id:
            self._run.record_round(completed)
        else:
            self._early.append(completed)

    def check(self) -> None:
        """Do nothing: a cluster trains on without MLflow."""

    def finish(self, report_missing: Callable[[str], None]) -> None:
        """End the run; report rounds that were never recorded."""
        if self._parent_run_id:
            self._run.finish()
        elif self._early:
            report_missing(f"MLflow lacks the rounds of {self._name}: the parent named no run.")
