"""Trained models from MLflow, through the tracking server only."""

import shutil
from pathlib import Path
from typing import Final

import mlflow
from mlflow import artifacts
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException

from flops_image_builder.domain.errors import ModelUnusableError, TrackingUnreachableError

REQUEST_SECONDS: Final = 30
RETRIES: Final = 2


class MlflowModels:
    """``ModelSource`` over a tracking server."""

    def __init__(self, url: str) -> None:
        self._url = url

    def download(self, uri: str, folder: Path) -> Path:
        """See the port."""
        MLFLOW_HTTP_REQUEST_TIMEOUT.set(REQUEST_SECONDS)  # type: ignore[no-untyped-call]
        MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(RETRIES)  # type: ignore[no-untyped-call]
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)  # type: ignore[no-untyped-call]
        # The model registry reads only this setting: the call below does not pass its URI on.
        mlflow.set_tracking_uri(self._url)
        mlflow.set_registry_uri(self._url)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            model = artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder))
        except (MlflowException, RequestException, OSError) as error:
            raise self._explained(uri, error) from error
        return Path(model)

    def _explained(
        self, uri: str, error: Exception
    ) -> TrackingUnreachableError | ModelUnusableError:
        text = str(error).splitlines()[0][:500] if str(error) else type(error).__name__
        if isinstance(error, RequestException) or "Max retries exceeded" in text:
            return TrackingUnreachableError(
                f"the tracking server {self._url} does not answer: {text}",
                hint="Check that the tracking server runs, then retry the project.",
            )
        return ModelUnusableError(
            f"the trained model {uri} cannot be downloaded: {text}",
            hint="Check in MLflow that the run logged a model, then retry the project.",
        )
