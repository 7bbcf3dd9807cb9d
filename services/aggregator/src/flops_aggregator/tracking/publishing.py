"""Publishes the best model in MLflow's registry. Each step checks first whether it was done before.

The server or this process may die in between: a successor finds the version that is registered, or
the whole result in a tag of the run.
"""

import importlib
import json
from dataclasses import asdict
from typing import Any, Final

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from flops_aggregator.checkpoints.best_model import BestModel
from flops_aggregator.settings import TrackingSettings
from flops_aggregator.tracking.flavors import log_model
from flops_aggregator.tracking.mlflow_server import MlflowServer, is_away
from flops_contracts.events import Trained

ALIAS: Final = "champion"
ATTEMPTS: Final = 3
RESULT_TAG: Final = "flops.trained"


def published(tags: dict[str, str]) -> Trained | None:
    """Return the result in a run's tags, None if it has not been published."""
    return Trained(**json.loads(tags[RESULT_TAG])) if RESULT_TAG in tags else None


class Publishing:
    """Publishes to ``server`` from one run."""

    def __init__(
        self, server: MlflowServer, settings: TrackingSettings, experiment_id: str, run_id: str
    ) -> None:
        self._server = server
        self._settings = settings
        self._experiment_id = experiment_id
        self._run_id = run_id

    def publish(self, best: BestModel) -> Trained:
        """Log and register the model; retry a few times while the server is unreachable."""
        # mlflow's own failures look like an unreachable server: hence so few attempts.
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            retry=retry_if_exception(is_away),
            reraise=True,
        )
        trained: Trained = retrying(self._publish, best)
        return trained

    def _publish(self, best: BestModel) -> Trained:
        client = self._server.client
        self._server.patiently(lambda: client.get_run(self._run_id))
        version, model_id, uri = self._registered() or self._register(best)
        name = self._settings.model_name
        # Projects that end at the same moment may all set it, each to its version of the model.
        self._server.patiently(lambda: client.set_registered_model_alias(name, ALIAS, version))
        for key, value in {"best_loss": best.loss, "best_accuracy": best.accuracy}.items():
            if value is not None:
                # Linked to the model: these are the metrics of exactly its parameters.
                client.log_metric(self._run_id, key, value, step=best.round, model_id=model_id)
        trained = Trained(
            run_id=self._run_id,
            experiment_id=self._experiment_id,
            model_uri=uri,
            model_name=name,
            model_version=version,
            best_round=best.round,
            rounds=best.rounds,
            loss=best.loss,
            accuracy=best.accuracy,
        )
        client.set_tag(self._run_id, "flops.best_round", str(best.round))
        client.set_tag(self._run_id, RESULT_TAG, json.dumps(asdict(trained)))
        client.set_terminated(self._run_id, "FINISHED")
        return trained

    def _registered(self) -> tuple[str, str | None, str] | None:
        name = self._settings.model_name
        same = f"name='{name}' and run_id='{self._run_id}'"
        for version in self._server.client.search_model_versions(same, max_results=1):
            return str(version.version), version.model_id, f"models:/{name}/{version.version}"
        return None

    def _register(self, best: BestModel) -> tuple[str, str | None, str]:
        mlflow: Any = importlib.import_module("mlflow")
        name = self._settings.model_name
        with mlflow.start_run(run_id=self._run_id):
            info = log_model(
                self._settings.flavor, best.model, step=best.round, registered_name=name
            )
        return str(info.registered_model_version), info.model_id, str(info.model_uri)
