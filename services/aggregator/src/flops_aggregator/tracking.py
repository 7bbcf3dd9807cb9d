"""The training in MLflow: one run, a step per round, and the best model registered.

Everything happens in one background thread, in order, so that no round waits for it; it begins
while learners still join, because importing mlflow takes seconds.
"""

import importlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from flops_aggregator.errors import ModelUnusableError, TrackingUnreachableError
from flops_aggregator.flavors import log_model
from flops_aggregator.settings import TrackingSettings
from flops_contracts.errors import FlopsError
from flops_contracts.events import RoundCompleted, Trained

logger = logging.getLogger(__name__)

ALIAS: Final = "champion"
PARENT_TAG: Final = "mlflow.parentRunId"
"""MLflow's own tag: its pages show a run that has it below the run that it names."""
CLUSTER_TAG: Final = "flops.cluster"
"""Whose run a child is, whoever is the cluster's aggregator now."""
PUBLISH_TIMEOUT_SECONDS: Final = 900.0
OPEN_TIMEOUT_SECONDS: Final = 30.0
FINISH_TIMEOUT_SECONDS: Final = 120.0
CLOSE_TIMEOUT_SECONDS: Final = 5.0

CHATTERERS: Final = ("urllib3", "mlflow", "alembic")
"""They warn of what is meant here: retries, and pickles of the user's own model."""

T = TypeVar("T")


@dataclass(frozen=True)
class BestModel:
    """What is published: the library's model object, and the round that it is from."""

    model: Any
    round: int
    rounds: int
    loss: float | None
    accuracy: float | None


class Tracking(Protocol):
    """Where a training is written down."""

    def start(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Begin to write; returns at once."""

    def check(self) -> None:
        """Raise ``TrackingUnreachableError`` when there was never a connection in time."""

    def record_round(self, completed: RoundCompleted) -> None:
        """Write a round down, soon."""

    def publish(self, best: BestModel) -> Trained:
        """Write everything, register the model; raise ``FlopsError``."""

    def close(self) -> None:
        """End the run as failed unless a model was published; bounded in time."""


class MlflowTracking:
    """``Tracking`` by mlflow's client. Its thread is the only one that touches mlflow."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tracking")
        self._opened: Future[None] | None = None
        self._client: Any = None
        self._experiment_id = ""
        self._run_id = ""
        self._is_done = False

    def run_id(self) -> str:
        """Return the run's id, as soon as it is open; empty when that takes too long."""
        if self._opened:
            wait([self._opened], OPEN_TIMEOUT_SECONDS)
        return self._run_id

    def prepare(self) -> None:
        """Import mlflow in the background already, when the run cannot be opened yet."""
        self._thread.submit(importlib.import_module, "mlflow")

    def start(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Connect in the background, and open the run called ``name``.

        A child of another run is found again when the process that wrote to it was replaced.
        """

        def open_run() -> None:
            mlflow: Any = importlib.import_module("mlflow")
            for chatterer in CHATTERERS:
                logging.getLogger(chatterer).setLevel(logging.ERROR)
            mlflow.set_tracking_uri(self._settings.url)
            self._client = mlflow.MlflowClient(self._settings.url)
            self._experiment_id = self._patiently(lambda: self._experiment_of(tags))
            self._run_id = self._patiently(lambda: self._find_run(tags)) or self._patiently(
                lambda: self._create_run(name, tags)
            )
            entities: Any = importlib.import_module("mlflow.entities")
            listed = [entities.Param(key, str(value)) for key, value in parameters.items()]
            self._patiently(lambda: self._client.log_batch(self._run_id, params=listed))
            logger.info("tracking in run %s of %s", self._run_id, self._settings.experiment)

        self._opened = self._thread.submit(open_run)

    def check(self) -> None:
        """Raise ``TrackingUnreachableError`` when the connection has failed for good."""
        if self._opened and self._opened.done() and (error := self._opened.exception()):
            raise self._unreachable(error) from error

    def record_round(self, completed: RoundCompleted) -> None:
        """Write the round's metrics down with the round as step, counted over all cycles."""
        at = int(time.time() * 1000)

        def write() -> None:
            entities: Any = importlib.import_module("mlflow.entities")
            listed = [
                entities.Metric(key, value, at, step_of(completed))
                for key, value in _metrics(completed).items()
            ]
            self._patiently(lambda: self._client.log_batch(self._run_id, metrics=listed))

        if not (self._opened and self._opened.done() and self._opened.exception()):
            self._thread.submit(write).add_done_callback(_log_failure)

    def publish(self, best: BestModel) -> Trained:
        """Wait for all that is still to be written, log and register the model, end the run."""
        future = self._thread.submit(self._publish, best)
        try:
            trained = future.result(PUBLISH_TIMEOUT_SECONDS)
        except FutureTimeoutError:
            seconds = PUBLISH_TIMEOUT_SECONDS
            raise TrackingUnreachableError(f"the model was not stored in {seconds:g} s") from None
        except FlopsError:
            raise
        except Exception as error:
            self.check()
            if _is_away(error):
                raise self._unreachable(error) from error
            raise ModelUnusableError(
                f"MLflow cannot store the model: {type(error).__name__}: {error}"[:2000],
                hint=f"Is it a model of {self._settings.flavor}, as the SLA says?",
            ) from error
        self._is_done = True
        return trained

    def finish(self) -> None:
        """End the run well after all that is still to be written, if it was ever opened."""

        def end() -> None:
            if self._run_id:
                self._client.set_terminated(self._run_id, "FINISHED")

        try:
            self._thread.submit(end).result(FINISH_TIMEOUT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the rounds were trained all the same
            logger.warning("the run in MLflow may lack rounds: %s", error)
        else:
            self._is_done = True

    def close(self) -> None:
        """End the run as failed unless it has ended well."""
        if self._run_id and not self._is_done:
            ended = self._thread.submit(self._client.set_terminated, self._run_id, "FAILED")
            try:
                ended.result(CLOSE_TIMEOUT_SECONDS)
            except Exception as error:  # noqa: BLE001 - the training's own failure counts
                logger.warning("the run in MLflow stays open: %s", error)
        self._stop.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _publish(self, best: BestModel) -> Trained:
        self.check()
        # Storing a model is many calls; a server that is being restarted is waited for before them.
        self._patiently(lambda: self._client.get_run(self._run_id))
        mlflow: Any = importlib.import_module("mlflow")
        name = self._settings.model_name
        with mlflow.start_run(run_id=self._run_id):
            info = log_model(
                self._settings.flavor, best.model, step=best.round, registered_name=name
            )
        version = str(info.registered_model_version)
        self._client.set_registered_model_alias(name, ALIAS, version)
        self._tell_best(best, info.model_id)
        return Trained(
            run_id=self._run_id,
            experiment_id=self._experiment_id,
            model_uri=info.model_uri,
            model_name=name,
            model_version=version,
            best_round=best.round,
            rounds=best.rounds,
            loss=best.loss,
            accuracy=best.accuracy,
        )

    def _tell_best(self, best: BestModel, model_id: str) -> None:
        """Tie the metrics of the best round to its model."""
        for key, value in {"best_loss": best.loss, "best_accuracy": best.accuracy}.items():
            if value is not None:
                self._client.log_metric(
                    self._run_id, key, value, step=best.round, model_id=model_id
                )
        self._client.set_tag(self._run_id, "flops.best_round", str(best.round))

    def _find_run(self, tags: Mapping[str, str]) -> str:
        """Return the cluster's child run, running again; empty if there is none."""
        if PARENT_TAG not in tags:
            return ""
        same = " and ".join(f"tags.`{key}` = '{tags[key]}'" for key in (PARENT_TAG, CLUSTER_TAG))
        found = self._client.search_runs([self._experiment_id], same, max_results=1)
        if not found:
            return ""
        self._client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id)

    def _create_run(self, name: str, tags: Mapping[str, str]) -> str:
        run = self._client.create_run(self._experiment_id, run_name=name, tags=dict(tags))
        return str(run.info.run_id)

    def _experiment_of(self, tags: Mapping[str, str]) -> str:
        """Return the parent run's experiment, or the one in the settings, made if need be."""
        if PARENT_TAG in tags:
            return str(self._client.get_run(tags[PARENT_TAG]).info.experiment_id)
        name = self._settings.experiment
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name))
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _patiently(self, act: Callable[[], T]) -> T:
        """Try again while the server is away, for as long as the settings say."""
        retrying = Retrying(
            stop=stop_after_delay(self._settings.connect_timeout_seconds)
            | stop_when_event_set(self._stop),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            retry=retry_if_exception(_is_away),
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )
        result: T = retrying(act)
        return result

    def _unreachable(self, error: BaseException) -> TrackingUnreachableError:
        seconds = self._settings.connect_timeout_seconds
        return TrackingUnreachableError(
            f"no MLflow server at {self._settings.url} within {seconds:g} s: {error}"[:2000],
            hint="Check that the customer's tracking server runs.",
        )


def step_of(completed: RoundCompleted) -> int:
    """Return the number of a round, or of a root's cycle, over the whole training."""
    if completed.is_cycle:
        return completed.cycle
    return (completed.cycle - 1) * completed.rounds + completed.round


def _metrics(completed: RoundCompleted) -> dict[str, float]:
    known = {"loss": completed.loss, "accuracy": completed.accuracy}
    return {
        **{key: value for key, value in known.items() if value is not None},
        "round_seconds": completed.seconds,
        **completed.metrics,
    }


def _is_away(error: BaseException) -> bool:
    """Whether trying again may help: mlflow tells a refused connection as a server's error."""
    status = getattr(error, "get_http_status_code", lambda: 0)()
    return isinstance(error, OSError) or status >= 500 or status == 429


def _log_failure(future: Future[None]) -> None:
    if not future.cancelled() and (error := future.exception()):
        logger.warning("a round is missing in MLflow: %s", error)
