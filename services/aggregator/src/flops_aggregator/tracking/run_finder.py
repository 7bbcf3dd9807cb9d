"""Finds the run in MLflow that a training is recorded in, or creates it."""

import importlib
from collections.abc import Mapping
from typing import Any, Final

from flops_aggregator.tracking.mlflow_server import MlflowServer

PROJECT_TAG: Final = "flops.project_id"
ROOT_TAG: Final = "flops.root"
"""Distinguishes the run of the whole training from the clusters' runs below it."""
PARENT_TAG: Final = "mlflow.parentRunId"
"""MLflow's own tag: its pages show the run below the run with this id."""
CLUSTER_TAG: Final = "flops.cluster"
"""The cluster of a child run; the cluster's aggregator may have been replaced."""
EVERY_ROUND: Final = "round_seconds"
"""A metric that each round has."""


class RunFinder:
    """Calls wait for a server that is unreachable for a while."""

    def __init__(self, server: MlflowServer, experiment: str) -> None:
        self._server = server
        self._experiment = experiment

    def experiment_of(self, tags: Mapping[str, str]) -> str:
        """Return the parent run's experiment, or the one in the settings, created if needed."""
        return self._server.patiently(lambda: self._experiment_of(tags))

    def find(self, experiment_id: str, tags: Mapping[str, str]) -> Any:
        """Return the run; None if there is none."""
        keys = (PARENT_TAG, CLUSTER_TAG) if PARENT_TAG in tags else (PROJECT_TAG, ROOT_TAG)
        same = " and ".join(f"tags.`{key}` = '{tags[key]}'" for key in keys)

        client = self._server.client
        runs = self._server.patiently(
            lambda: client.search_runs([experiment_id], same, max_results=1)
        )
        return runs[0] if runs else None

    def reopen(self, run_id: str) -> None:
        """Set the run's status to running, whatever it is."""
        client = self._server.client
        self._server.patiently(lambda: client.update_run(run_id, status="RUNNING"))

    def steps_of(self, run_id: str) -> set[int]:
        """Return the steps of the rounds that it has already."""
        client = self._server.client
        points = self._server.patiently(lambda: client.get_metric_history(run_id, EVERY_ROUND))
        return {point.step for point in points}

    def began_at(self, run_id: str) -> int:
        """Return when the run was created, in milliseconds since 1970."""
        client = self._server.client
        return int(self._server.patiently(lambda: client.get_run(run_id)).info.start_time)

    def create(
        self,
        experiment_id: str,
        name: str,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> str:
        """Create a run; return its id."""
        client = self._server.client
        run = self._server.patiently(
            lambda: client.create_run(experiment_id, run_name=name, tags=dict(tags))
        )
        run_id = str(run.info.run_id)
        entities: Any = importlib.import_module("mlflow.entities")
        listed = [entities.Param(key, str(value)) for key, value in parameters.items()]
        self._server.patiently(lambda: client.log_batch(run_id, params=listed))
        return run_id

    def _experiment_of(self, tags: Mapping[str, str]) -> str:
        client = self._server.client
        if PARENT_TAG in tags:
            return str(client.get_run(tags[PARENT_TAG]).info.experiment_id)
        experiment = client.get_experiment_by_name(self._experiment)
        if experiment is None:
            return str(client.create_experiment(self._experiment))
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)


def end_children(server: MlflowServer, experiment_id: str, run_id: str) -> None:
    """End the runs of lost clusters; a cluster that still ends by itself overwrites this."""
    same = f"tags.`{PARENT_TAG}` = '{run_id}' and attributes.status = 'RUNNING'"
    for child in server.client.search_runs([experiment_id], same):
        server.client.set_terminated(child.info.run_id, "KILLED")
