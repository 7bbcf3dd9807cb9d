"""The training in MLflow: one run, a step per round, checkpoints, and the best model registered.

Everything happens in one background thread, in order, so that no round waits for it; several short
rounds are written at once. While the server is unreachable, metrics are queued.
"""

import importlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

from flops_aggregator.checkpoints.best_model import BestModel
from flops_aggregator.checkpoints.files import Checkpoint
from flops_aggregator.checkpoints.store import CheckpointStore
from flops_aggregator.errors import ModelUnusableError, TrackingUnreachableError
from flops_aggregator.metrics import CHECKPOINT_ERRORS, CHECKPOINT_SECONDS
from flops_aggregator.settings import TrackingSettings
from flops_aggregator.tracking.background import PAUSE_SECONDS, Background
from flops_aggregator.tracking.backlog import Backlog, Entry
from flops_aggregator.tracking.mlflow_server import MlflowServer, RunArtifacts, is_away
from flops_aggregator.tracking.publishing import Publishing, published
from flops_aggregator.tracking.run_finder import RunFinder, end_children
from flops_aggregator.tracking.system_metrics import SystemMetrics
from flops_contracts.errors import FlopsError
from flops_contracts.events import RoundCompleted, Trained

logger = logging.getLogger(__name__)

PUBLISH_TIMEOUT_SECONDS: Final = 900.0
OPEN_TIMEOUT_SECONDS: Final = 30.0
FINISH_TIMEOUT_SECONDS: Final = 120.0
CLOSE_TIMEOUT_SECONDS: Final = 5.0
RELEASES_TAG: Final = "flops.privacy_releases"


class MlflowTracking:
    """Uses mlflow's client, in its own thread only.

    ``notice`` is called with what the user should know.
    """

    def __init__(
        self,
        settings: TrackingSettings,
        notice: Callable[[str], None] = logger.warning,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._settings = settings
        self._notice = notice
        self._server = MlflowServer(settings.url, settings.connect_timeout_seconds)
        self._background = Background("tracking", pause_seconds)
        self._opened: Future[None] | None = None
        self._experiment_id = ""
        self._run_id = ""
        self._since: Checkpoint | None = None
        self._trained: Trained | None = None
        self._backlog = Backlog(self._server)
        self._system = SystemMetrics(self._record_system)
        self._began = 0
        self._newest: Checkpoint | None = None
        self._is_done = False
        self._releases = 0

    def run_id(self) -> str:
        """Return the run's id when it is open; empty if that takes too long."""
        if self._opened:
            wait([self._opened], OPEN_TIMEOUT_SECONDS)
        return self._run_id

    def prepare(self) -> None:
        """Import mlflow in the background before the run can be opened."""
        self._background.submit(lambda: importlib.import_module("mlflow"))

    def start(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Connect in the background, and open the run called ``name``.

        A run of an earlier process of the same training is reopened, with its checkpoints.
        """

        def open_run() -> None:
            self._server.connect()
            finder = RunFinder(self._server, self._settings.experiment)
            self._experiment_id = finder.experiment_of(tags)
            if run := finder.find(self._experiment_id, tags):
                if trained := published(run.data.tags):
                    self._trained, self._is_done = trained, True
                    return
                finder.reopen(run.info.run_id)
                self._releases = int(run.data.tags.get(RELEASES_TAG, 0))
                self._backlog.rounds = finder.steps_of(run.info.run_id)
                self._since = self._store(run.info.run_id).latest(self._notice)
                self._run_id = run.info.run_id
            else:
                self._run_id = finder.create(self._experiment_id, name, parameters, tags)
            self._began = finder.began_at(self._run_id)
            self._system.start()
            logger.info("tracking in run %s of %s", self._run_id, self._settings.experiment)

        self._opened = self._background.submit(open_run)

    def check(self) -> None:
        """Raise ``TrackingUnreachableError`` if the connection has failed for good."""
        if self._opened and self._opened.done() and (error := self._opened.exception()):
            raise self._server.unreachable(error) from error

    def published(self) -> Trained | None:
        """Return the result if an earlier process has published the model already.

        Waits until the run is open; raises ``TrackingUnreachableError``.
        """
        if self._opened:
            wait([self._opened])
            self.check()
        return self._trained

    def latest_checkpoint(self, timeout_seconds: float | None = None) -> Checkpoint | None:
        """Return the checkpoint to continue from, once; queue the rounds before it."""
        if not self._opened:
            return None
        wait([self._opened], timeout_seconds)
        if timeout_seconds is None:
            self.check()
        since, self._since = self._since, None
        for completed in since.history if since else ():
            self.record_round(completed)
        return since

    def releases(self) -> int:
        """Return the recorded number of private releases when the run is open."""
        if self._opened:
            wait([self._opened])
            self.check()
        return self._releases

    def note_releases(self, count: int) -> None:
        """Record the number, return when it is stored; raise ``TrackingUnreachableError``."""

        def note() -> None:
            client, run_id = self._server.client, self._run_id
            self._server.patiently(lambda: client.set_tag(run_id, RELEASES_TAG, str(count)))

        try:
            self._background.submit(note).result(PUBLISH_TIMEOUT_SECONDS)
        except Exception as error:
            self.check()
            raise self._server.unreachable(error) from error

    def save_soon(self, checkpoint: Checkpoint) -> None:
        """Store it while the next round runs; skip it if a newer one comes first."""
        self._newest = checkpoint
        self._background.soon("a checkpoint was not stored", self._save)

    def record_round(self, completed: RoundCompleted) -> None:
        """Record the round's metrics; the step is the round, counted over all cycles."""
        at = int(time.time() * 1000)
        self._backlog.add(Entry(at, step_of(completed), _metrics(completed)))
        self._background.soon("metrics for MLflow are queued", self._write)

    def publish(self, best: BestModel) -> Trained:
        """Write all that is queued, log and register the model, end the run."""
        future = self._background.submit(lambda: self._publish(best))
        try:
            trained = future.result(PUBLISH_TIMEOUT_SECONDS)
        except FutureTimeoutError:
            seconds = PUBLISH_TIMEOUT_SECONDS
            raise TrackingUnreachableError(f"the model was not stored in {seconds:g} s") from None
        except FlopsError:
            raise
        except Exception as error:
            self.check()
            if is_away(error):
                raise self._server.unreachable(error) from error
            raise ModelUnusableError(
                f"MLflow cannot store the model: {type(error).__name__}: {error}"[:2000],
                hint=f"Check that it is a model of {self._settings.flavor}, as in the SLA.",
            ) from error
        self._is_done = True
        return trained

    def finish(self) -> None:
        """Write all that is queued and end the run as finished, if it was ever opened."""
        self._system.stop()

        def end() -> None:
            if self._run_id:
                self._write()
                self._clear_checkpoints()
                self._server.client.set_terminated(self._run_id, "FINISHED")

        try:
            self._background.submit(end).result(FINISH_TIMEOUT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the rounds were trained all the same
            logger.warning("some rounds may be missing in MLflow: %s", error)
        else:
            self._is_done = True

    def close(self) -> None:
        """End the run as failed unless it has finished."""
        self._system.stop()
        if self._run_id and not self._is_done:
            ended = self._background.submit(self._fail)
            try:
                ended.result(CLOSE_TIMEOUT_SECONDS)
            except Exception as error:  # noqa: BLE001 - the training's own failure counts
                logger.warning("the run in MLflow stays open: %s", error)
        self._server.stop()
        self._background.close()

    def _fail(self) -> None:
        """End the run as failed, with the queued metrics and a checkpoint for a successor."""
        try:
            self._write()
        finally:
            self._server.client.set_terminated(self._run_id, "FAILED")
        end_children(self._server, self._experiment_id, self._run_id)
        self._save()

    def _publish(self, best: BestModel) -> Trained:
        self._system.stop()
        self.check()
        self._write()
        publishing = Publishing(self._server, self._settings, self._experiment_id, self._run_id)
        trained = publishing.publish(best)
        try:
            end_children(self._server, self._experiment_id, self._run_id)
            self._clear_checkpoints()
        except Exception as error:  # noqa: BLE001 - the model is published
            logger.warning("could not clean up in MLflow: %s", error)
        return trained

    def _save(self) -> None:
        newest, self._newest = self._newest, None
        if newest and self._run_id:
            with CHECKPOINT_ERRORS.count_exceptions(), CHECKPOINT_SECONDS.time():
                self._store(self._run_id).save(newest)

    def _clear_checkpoints(self) -> None:
        self._newest = None
        self._store(self._run_id).clear()

    def _store(self, run_id: str) -> CheckpointStore:
        return CheckpointStore(RunArtifacts(self._server, run_id))

    def _write(self) -> None:
        """Write the queued metrics; those that fail stay queued."""
        if self._run_id:
            self._backlog.write(self._run_id)

    def _record_system(self, metrics: Mapping[str, float]) -> None:
        """Record a sample; its step counts tens of seconds since the run was created."""
        at = int(time.time() * 1000)
        step = max(0, at - self._began) // 10_000
        self._backlog.add(Entry(at, step, metrics, is_round=False))
        self._background.soon("metrics for MLflow are queued", self._write)


def step_of(completed: RoundCompleted) -> int:
    """Return the number of a round, or of a root's cycle, over the whole training."""
    if completed.is_cycle:
        return completed.cycle
    return (completed.cycle - 1) * completed.rounds + completed.round


def _metrics(completed: RoundCompleted) -> dict[str, float]:
    results = {"loss": completed.loss, "accuracy": completed.accuracy}
    return {
        **{key: value for key, value in results.items() if value is not None},
        "round_seconds": completed.seconds,
        **completed.metrics,
    }
