"""A tracking server that may be unreachable for a while, and the artifacts of its runs."""

import importlib
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_after_delay,
    stop_when_event_set,
    wait_random,
    wait_random_exponential,
)

from flops_aggregator.errors import TrackingUnreachableError

QUIET_LOGGERS: Final = ("urllib3", "mlflow", "alembic")
"""They warn of what is intended here: retries, and pickles of the user's own model."""
FOLDER: Final = "checkpoints"
CONFLICTS: Final = frozenset({"BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"})
"""The error codes of mlflow when its database refuses a row because another client inserted it
first; for invalid input it has ``INVALID_PARAMETER_VALUE``."""
ATTEMPTS_PAST_CONFLICTS: Final = 3

T = TypeVar("T")


class MlflowServer:
    """``client`` is mlflow's client after ``connect``; only one thread may use it."""

    def __init__(self, url: str, patience_seconds: float) -> None:
        self._url = url
        self._patience_seconds = patience_seconds
        self._stop = threading.Event()
        self.client: Any = None

    def connect(self) -> None:
        """Import mlflow, which takes seconds, and configure it for the server."""
        mlflow: Any = importlib.import_module("mlflow")
        for name in QUIET_LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        mlflow.set_tracking_uri(self._url)
        # Else the model would go to a registry that the user's code may have set.
        mlflow.set_registry_uri(self._url)
        self.client = mlflow.MlflowClient(self._url, registry_uri=self._url)

    def patiently(self, act: Callable[[], T]) -> T:
        """Retry ``act`` while the server is unreachable, within the patience, and after conflicts.

        So ``act`` must be repeatable.
        """
        retrying = Retrying(
            stop=stop_after_delay(self._patience_seconds) | stop_when_event_set(self._stop),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            retry=retry_if_exception(is_away),
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )
        result: T = retrying(_past_conflicts, act)
        return result

    def stop(self) -> None:
        """Stop all retries."""
        self._stop.set()

    def unreachable(self, error: BaseException) -> TrackingUnreachableError:
        """Return the error of a training that cannot continue without the server."""
        seconds = self._patience_seconds
        return TrackingUnreachableError(
            f"no MLflow server at {self._url} within {seconds:g} s: {error}"[:2000],
            hint="Check that the customer's tracking server runs.",
        )


class RunArtifacts:
    """The checkpoint files of a run; calls wait for an unreachable server."""

    def __init__(self, server: MlflowServer, run_id: str) -> None:
        self._server = server
        self._run_id = run_id

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file by its name."""
        client, run_id = self._server.client, self._run_id
        listed = self._server.patiently(lambda: client.list_artifacts(run_id, FOLDER))
        return {PurePosixPath(file.path).name: file.file_size for file in listed}

    def put(self, path: Path) -> None:
        """Store a file under its own name."""
        client, run_id = self._server.client, self._run_id
        self._server.patiently(lambda: client.log_artifact(run_id, str(path), FOLDER))

    def get(self, name: str, folder: Path) -> Path:
        """Fetch a file into ``folder``."""
        client, run_id, path = self._server.client, self._run_id, f"{FOLDER}/{name}"
        return Path(
            self._server.patiently(lambda: client.download_artifacts(run_id, path, str(folder)))
        )

    def delete(self, name: str) -> None:
        """Remove a file, by the artifact repository: mlflow's client has no call for it."""
        client, run_id, path = self._server.client, self._run_id, f"{FOLDER}/{name}"
        registry: Any = importlib.import_module(
            "mlflow.store.artifact.artifact_repository_registry"
        )

        def delete() -> None:
            uri = client.get_run(run_id).info.artifact_uri
            registry.get_artifact_repository(uri).delete_artifacts(path)

        self._server.patiently(delete)


def _past_conflicts(act: Callable[[], T]) -> T:
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS_PAST_CONFLICTS),
        wait=wait_random(0, 0.5),
        retry=retry_if_exception(_is_conflict),
        reraise=True,
    )
    result: T = retrying(act)
    return result


def _is_conflict(error: BaseException) -> bool:
    return getattr(error, "error_code", "") in CONFLICTS


def is_away(error: BaseException) -> bool:
    """Return whether a retry may help; mlflow reports a refused connection as a server error."""
    status = getattr(error, "get_http_status_code", lambda: 0)()
    return isinstance(error, OSError) or status >= 500 or status == 429
