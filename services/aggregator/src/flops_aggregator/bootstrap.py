"""The aggregator's work from its first step to its result; everything is wired here."""

import logging
from contextlib import closing
from typing import Any

from flops_aggregator.settings import Settings, TrainingSettings
from flops_aggregator.tracking import MlflowTracking, Tracking
from flops_aggregator.training import train
from flops_contracts.events import Kind, LearnerPresence, RoundCompleted, RoundStarted, Trained
from flops_grid.exchange import Presence
from flops_grid.flower_internals import route_logs
from flops_grid.server import StreamGrid
from flops_grid.user_model import load_user_model
from flops_runtime.reporting import Reporter

logger = logging.getLogger(__name__)


class Watch:
    """Tells learners' comings and goings and the rounds to MQTT and MLflow."""

    def __init__(self, reporter: Reporter, tracking: Tracking, expected: int) -> None:
        self._reporter = reporter
        self._tracking = tracking
        self._expected = expected

    def presence_changed(self, presence: Presence) -> None:
        """Report a learner that came or went."""
        kind = Kind.LEARNER_JOINED if presence.is_present else Kind.LEARNER_LEFT
        logger.info("%s: %s (%d)", kind, presence.learner, presence.present)
        self._reporter.report(
            kind,
            LearnerPresence(presence.learner, presence.present, self._expected, presence.reason),
        )

    def round_started(self, started: RoundStarted) -> None:
        """Report it; also the moment to give up when there is no tracking server."""
        self._tracking.check()
        self._reporter.status.doing(f"round {started.round}", started.round, started.rounds)
        self._reporter.report(Kind.ROUND_STARTED, started)

    def round_completed(self, completed: RoundCompleted) -> None:
        """Report it and write it down."""
        logger.info(
            "round %d of %d: loss %s, accuracy %s, %.2f s",
            completed.round,
            completed.rounds,
            completed.loss,
            completed.accuracy,
            completed.seconds,
        )
        self._tracking.record_round(completed)
        self._reporter.report(Kind.ROUND_COMPLETED, completed)


def aggregate(settings: Settings, reporter: Reporter) -> tuple[Kind, Trained]:
    """Listen, wait for learners, run the rounds, publish the best model, return the result."""
    route_logs()
    training = settings.training
    tracking = MlflowTracking(settings.tracking)
    watch = Watch(reporter, tracking, training.learners)
    address = f"{settings.actor.process.bind_address}:{settings.port}"
    grid = StreamGrid(address, settings.grid_token, watch=watch.presence_changed)
    with closing(tracking):
        with grid:
            # Learners may dial while mlflow and the model's library are still being imported.
            tracking.start(settings.actor.subject_id, _parameters(training), _tags(settings))
            reporter.progress("loading the model")
            model = load_user_model()
            reporter.status.ready()
            best = train(training, model, grid, watch, reporter.progress)
        reporter.progress("storing the best model")
        return Kind.TRAINED, tracking.publish(best)


def _parameters(training: TrainingSettings) -> dict[str, Any]:
    return {
        "rounds": training.rounds,
        "learners": training.learners,
        "min_available_clients": training.min_available,
        "min_fit_clients": training.min_fit,
        "min_evaluate_clients": training.min_evaluate,
        "strategy": training.strategy.name,
        **{f"strategy.{key}": value for key, value in training.strategy.parameters.items()},
    }


def _tags(settings: Settings) -> dict[str, str]:
    tracking = settings.tracking
    return {
        "flops.project_id": settings.actor.subject_id,
        "flops.ml_repo_url": tracking.ml_repo_url,
        "flops.commit": tracking.commit,
        "flops.flavor": tracking.flavor.value,
    }
