"""The facts of a round while it is under way, and who is informed about rounds."""

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
"""The metrics in each client's reply, by its name."""


class RoundWatch(Protocol):
    """Is informed about rounds; all calls must return quickly."""

    def round_started(self, started: RoundStarted) -> None:
        """Called when a round begins."""

    def round_completed(self, completed: RoundCompleted) -> None:
        """Called when a round is over, with its metrics."""

    def waits(self, reason: str) -> None:
        """Called with the reason when the training waits for clients."""

    def noticed(self, message: str) -> None:
        """Called with something that the user should know."""


@dataclass(frozen=True)
class Evaluated:
    """The evaluations of some parameters by all clients; None stands for NaN or infinity."""

    loss: float | None
    accuracy: float | None
    samples: float


@dataclass
class Round:
    """Filled in step by step; ``began`` is on the clock, ``recipients`` were sent the last message.

    ``moved`` are the bytes that the grid had carried when it began, ``uploads`` the seconds that
    each client's parameters took to arrive, and ``surplus`` the clients whose replies were no
    longer needed. ``is_evaluation_only`` is for an evaluation after the last round.
    """

    number: int = 0
    began: float = 0.0
    moved: Moved = field(default_factory=Moved)
    arrays: ArrayRecord = field(default_factory=ArrayRecord)
    is_evaluation_only: bool = False
    recipients: set[str] = field(default_factory=set)
    fits: Numbers = field(default_factory=dict)
    evaluations: Numbers = field(default_factory=dict)
    errors: dict[str, LearnerError] = field(default_factory=dict)
    span: Span = NO_SPAN
    surplus: set[str] = field(default_factory=set)
    uploads: dict[str, float] = field(default_factory=dict)

    @property
    def samples(self) -> float:
        """The samples that the good replies were trained on."""
        return math.fsum(metrics[SAMPLES] for metrics in self.fits.values())

    @property
    def fit_seconds(self) -> float:
        """The training time of the slowest good reply."""
        return max(metrics[FIT_SECONDS] for metrics in self.fits.values())

    @property
    def train_loss(self) -> float | None:
        """The mean loss of the parameters at the start of the round, where it was requested."""
        return _mean(self.fits, TRAIN_LOSS)

    @property
    def evaluated(self) -> Evaluated:
        """The means of the evaluations, weighted by samples."""
        samples = math.fsum(metrics[SAMPLES] for metrics in self.evaluations.values())
        return Evaluated(_mean(self.evaluations, LOSS), _mean(self.evaluations, ACCURACY), samples)

    @property
    def rows(self) -> tuple[LearnerRound, ...]:
        """A row for each client, also for those that failed."""
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


def _mean(replies: Numbers, key: str) -> float | None:
    return weighted_mean((metrics[key], metrics[SAMPLES]) for metrics in replies.values())
