"""What is known about a round while it is under way, and what is told of it afterwards."""

import math
from dataclasses import dataclass, field
from typing import Protocol

from flwr.app import ArrayRecord

from flops_aggregator.replies.means import weighted_mean
from flops_contracts.events import LearnerRound, RoundCompleted, RoundStarted
from flops_grid.errors import LearnerError
from flops_grid.messages.records import (
    ACCURACY,
    EVALUATE_SECONDS,
    FIT_SECONDS,
    LOSS,
    SAMPLES,
    TRAIN_LOSS,
)
from flops_grid.server.traffic import Moved
from flops_runtime.tracing import NO_SPAN, Span

Numbers = dict[str, dict[str, float]]
"""The metrics that each client answered, by its name."""


class RoundWatch(Protocol):
    """Who wants to know about rounds; all calls must be quick."""

    def round_started(self, started: RoundStarted) -> None:
        """Hear that a round begins."""

    def round_completed(self, completed: RoundCompleted) -> None:
        """Hear that a round is over, with its metrics."""

    def waits(self, why: str) -> None:
        """Hear that nothing goes on, and why."""

    def noticed(self, message: str) -> None:
        """Hear what the user should know."""


@dataclass(frozen=True)
class Evaluated:
    """What all clients together say of some parameters; None is a metric that is no number."""

    loss: float | None
    accuracy: float | None
    samples: float


@dataclass
class Round:
    """Filled in step by step; ``began`` is on the clock, ``asked`` are who works now, by node id.

    ``uploads`` are the seconds that each client's parameters took to arrive,
    ``moved`` is what the grid had carried when it began, and ``surplus`` are those whose answers
    were no longer needed. Outside of the rounds, after the last one, it ``is_evaluation_only``.
    """

    number: int = 0
    began: float = 0.0
    moved: Moved = field(default_factory=Moved)
    arrays: ArrayRecord = field(default_factory=ArrayRecord)
    is_evaluation_only: bool = False
    asked: dict[int, str] = field(default_factory=dict)
    fits: Numbers = field(default_factory=dict)
    evaluations: Numbers = field(default_factory=dict)
    errors: dict[str, LearnerError] = field(default_factory=dict)
    span: Span = NO_SPAN
    surplus: set[str] = field(default_factory=set)
    uploads: dict[str, float] = field(default_factory=dict)

    @property
    def samples(self) -> float:
        """On how many samples those trained whose parameters count."""
        return math.fsum(metrics[SAMPLES] for metrics in self.fits.values())

    @property
    def fit_seconds(self) -> float:
        """How long the slowest of them trained."""
        return max(metrics[FIT_SECONDS] for metrics in self.fits.values())

    @property
    def train_loss(self) -> float | None:
        """The mean loss of the parameters they began with, where it was asked for."""
        return _mean(self.fits, TRAIN_LOSS)

    @property
    def evaluated(self) -> Evaluated:
        """The means of the evaluations, weighted by samples."""
        samples = math.fsum(metrics[SAMPLES] for metrics in self.evaluations.values())
        return Evaluated(_mean(self.evaluations, LOSS), _mean(self.evaluations, ACCURACY), samples)

    @property
    def rows(self) -> tuple[LearnerRound, ...]:
        """What each client did, also those that failed."""
        names = sorted({*self.fits, *self.evaluations, *self.errors, *self.surplus})
        return tuple(self._row(name) for name in names)

    def _row(self, name: str) -> LearnerRound:
        fit, evaluation = self.fits.get(name, {}), self.evaluations.get(name, {})
        error = self.errors.get(name)
        return LearnerRound(
            learner=name,
            samples=round(fit.get(SAMPLES, 0)),
            fit_seconds=fit.get(FIT_SECONDS, 0.0),
            evaluate_seconds=evaluation.get(EVALUATE_SECONDS, 0.0),
            error=str(error) if error else "",
            upload_seconds=self.uploads.get(name, 0.0),
            is_surplus=name in self.surplus,
        )


def _mean(found: Numbers, key: str) -> float | None:
    return weighted_mean((metrics[key], metrics[SAMPLES]) for metrics in found.values())
