"""Runs and models in MLflow, by its REST API. ``mlflow gc`` frees what is deleted there."""

from typing import Any, Final

import requests

from flops_contracts.events import Trained
from flops_manager.adapters.oakestra_session import direct_session
from flops_manager.domain.errors import TrackingUnavailableError

TIMEOUT_SECONDS: Final = (3.0, 20.0)


class MlflowRuns:
    """``Runs`` of the server that the URL names."""

    def forget(self, url: str, experiment: str, trained: Trained | None) -> None:
        """See the port."""
        if trained is not None:
            version = {"name": trained.model_name, "version": trained.model_version}
            self._ask("DELETE", url, "model-versions/delete", json=version)
        answer = self._ask(
            "GET", url, "experiments/get-by-name", params={"experiment_name": experiment}
        )
        if answer and answer["experiment"]["lifecycle_stage"] == "active":
            key = {"experiment_id": answer["experiment"]["experiment_id"]}
            self._ask("POST", url, "experiments/delete", json=key)

    def _ask(self, method: str, url: str, path: str, **what: Any) -> Any:
        """Return the answer, or None for 404."""
        try:
            with direct_session() as http:
                answer = http.request(
                    method, f"{url}/api/2.0/mlflow/{path}", timeout=TIMEOUT_SECONDS, **what
                )
                if answer.status_code == requests.codes.not_found:
                    return None
                answer.raise_for_status()
                return answer.json()
        except (requests.RequestException, ValueError) as error:
            raise TrackingUnavailableError(
                f"MLflow at {url} failed at {path}: {error}"[:300],
                hint="See the log of the tracking server.",
            ) from error
