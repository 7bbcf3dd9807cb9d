"""A strategy around the strategy: it watches over every round and knows what came of it.

Flower's strategies wait for ever for missing learners, raise when one reply is odd, go on
when all failed, and tell nobody. This wrapper gives them only what they can use, ends the training
with the true cause when the minima are missed, and reports each round.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, cast

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from flops_aggregator.best_model import RoundModel, is_better
from flops_aggregator.dtypes import with_dtypes_of
from flops_aggregator.errors import TooFewLearnersError
from flops_aggregator.metrics import weighted_mean
from flops_aggregator.replies import (
    checked_evaluate_replies,
    checked_train_replies,
    metrics_of,
)
from flops_aggregator.settings import TrainingSettings
from flops_contracts.events import LearnerRound, RoundCompleted, RoundStarted
from flops_grid.errors import LearnerError, UserCodeError
from flops_grid.records import ACCURACY, EVALUATE_SECONDS, FIT_SECONDS, LOSS, SAMPLES

logger = logging.getLogger(__name__)


class Learners(Protocol):
    """What is asked about the learners; ``StreamGrid`` is one."""

    def get_node_ids(self) -> list[int]:
        """Return the ids of those that work can be sent to."""

    def wait_for_learners(self, count: int, timeout_seconds: float) -> list[str]:
        """Wait until ``count`` are connected; return who is."""

    def name_of(self, node_id: int) -> str:
        """Return the name of one."""


class RoundWatch(Protocol):
    """Who wants to know about rounds; both calls must be quick."""

    def round_started(self, started: RoundStarted) -> None:
        """Hear that a round begins."""

    def round_completed(self, completed: RoundCompleted) -> None:
        """Hear that a round is over, with its metrics."""


@dataclass(frozen=True)
class _Present:
    """The only question that strategies ask a grid: who is there? The answer stays the same."""

    node_ids: list[int]

    def get_node_ids(self) -> list[int]:
        return self.node_ids


@dataclass
class _Round:
    """What is known about the round that is under way."""

    number: int = 0
    began: float = 0.0
    arrays: ArrayRecord = field(default_factory=ArrayRecord)
    asked: dict[int, str] = field(default_factory=dict)
    fits: dict[str, dict[str, float]] = field(default_factory=dict)
    evaluations: dict[str, dict[str, float]] = field(default_factory=dict)
    errors: dict[str, LearnerError] = field(default_factory=dict)


class SupervisedStrategy(Strategy):
    """``inner`` over learners that may fail; ``best`` is the best round so far."""

    def __init__(
        self,
        inner: Strategy,
        training: TrainingSettings,
        learners: Learners,
        watch: RoundWatch,
        *,
        wants_train_loss: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._training = training
        self._learners = learners
        self._watch = watch
        self._wants_train_loss = wants_train_loss
        self._clock = clock
        self._round = _Round()
        self.best: RoundModel | None = None

    def summary(self) -> None:
        """Tell what the inner strategy tells."""
        self._inner.summary()

    def configure_train(
        self,
        server_round: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,  # noqa: ARG002 - the inner strategy gets one that does not change
    ) -> list[Message]:
        """Begin a round: all learners train from ``arrays``."""
        self._round = _Round(server_round, self._clock(), arrays)
        present = self._wait_for_enough(self._training.min_fit)
        self._watch.round_started(RoundStarted(server_round, self._training.rounds))
        return self._asked(self._inner.configure_train(server_round, arrays, config, present))

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average what is usable; raise when that are fewer than the minimum."""
        this = self._round
        checked = checked_train_replies(
            replies, this.arrays, wants_train_loss=self._wants_train_loss
        )
        this.fits = self._usable(checked, "train", self._training.min_fit)
        arrays, metrics = self._inner.aggregate_train(server_round, checked)
        if arrays is not None:
            this.arrays = arrays = with_dtypes_of(arrays, this.arrays)
        return arrays, metrics

    def configure_evaluate(
        self,
        server_round: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,  # noqa: ARG002 - see configure_train
    ) -> list[Message]:
        """All learners evaluate the average."""
        present = self._wait_for_enough(self._training.min_evaluate)
        return self._asked(self._inner.configure_evaluate(server_round, arrays, config, present))

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """End a round: weigh the metrics by samples, keep the best model, tell everybody."""
        this = self._round
        checked = checked_evaluate_replies(replies)
        this.evaluations = self._usable(checked, "evaluate", self._training.min_evaluate)
        metrics = self._inner.aggregate_evaluate(server_round, checked)
        loss, accuracy = self._mean(LOSS), self._mean(ACCURACY)
        model = RoundModel(server_round, this.arrays, loss, accuracy)
        if is_better(model, self.best):
            self.best = model
        self._watch.round_completed(self._completed(loss, accuracy))
        return metrics

    def _wait_for_enough(self, minimum: int) -> Grid:
        """Return who is there when they are enough; raise ``TooFewLearnersError`` in the end."""
        needed = max(minimum, self._training.min_available)
        timeout = self._training.return_timeout_seconds
        node_ids = self._learners.get_node_ids()
        if len(node_ids) < needed:
            logger.warning("%d of %d needed learners are there", len(node_ids), needed)
            self._learners.wait_for_learners(needed, timeout)
            node_ids = self._learners.get_node_ids()
        if len(node_ids) < needed:
            names = ", ".join(sorted(map(self._learners.name_of, node_ids))) or "nobody"
            raise TooFewLearnersError(
                f"round {self._round.number} needs {needed} learners; after {timeout:g} s only "
                f"{len(node_ids)} were there: {names}",
                hint="See why the others ended.",
            )
        return cast(Grid, _Present(node_ids))

    def _asked(self, messages: Iterable[Message]) -> list[Message]:
        listed = list(messages)
        self._round.asked = {
            one.metadata.dst_node_id: self._learners.name_of(one.metadata.dst_node_id)
            for one in listed
        }
        return listed

    def _usable(
        self, replies: list[Message], verb: str, minimum: int
    ) -> dict[str, dict[str, float]]:
        """Return the metrics of each good reply by its learner, and note why the others failed."""
        good: dict[str, dict[str, float]] = {}
        errors: dict[str, LearnerError] = {}
        for reply in replies:
            name = self._learners.name_of(reply.metadata.src_node_id)
            if reply.has_error():
                errors[name] = LearnerError.from_text(reply.error.reason)
            else:
                good[name] = metrics_of(reply)
        this, timeout = self._round, self._training.round_timeout_seconds
        for name in set(this.asked.values()) - set(good) - set(errors):
            errors[name] = LearnerError(f"no answer within {timeout:g} s")
        for name, metrics in good.items():
            if odd := [key for key, value in metrics.items() if not math.isfinite(value)]:
                this.errors[name] = LearnerError(f"{' and '.join(odd)} is not a number")
        for name, error in errors.items():
            logger.warning("%s could not %s in round %d: %s", name, verb, this.number, error)
        this.errors.update(errors)
        if len(good) < minimum:
            raise _too_few(this.number, verb, len(good), minimum, errors)
        return good

    def _mean(self, key: str) -> float | None:
        found = self._round.evaluations.values()
        return weighted_mean((metrics[key], metrics[SAMPLES]) for metrics in found)

    def _completed(self, loss: float | None, accuracy: float | None) -> RoundCompleted:
        this = self._round
        names = sorted({*this.fits, *this.evaluations, *this.errors})
        return RoundCompleted(
            round=this.number,
            rounds=self._training.rounds,
            loss=loss,
            accuracy=accuracy,
            seconds=self._clock() - this.began,
            metrics={
                "learners": float(len(this.fits)),
                "samples": sum(metrics[SAMPLES] for metrics in this.fits.values()),
                "fit_seconds": max(metrics[FIT_SECONDS] for metrics in this.fits.values()),
            },
            learners=tuple(_row(name, this) for name in names),
        )


def _row(name: str, this: _Round) -> LearnerRound:
    fit, evaluation = this.fits.get(name, {}), this.evaluations.get(name, {})
    error = this.errors.get(name)
    return LearnerRound(
        learner=name,
        samples=int(fit.get(SAMPLES, 0)),
        fit_seconds=fit.get(FIT_SECONDS, 0.0),
        evaluate_seconds=evaluation.get(EVALUATE_SECONDS, 0.0),
        error=str(error) if error else "",
    )


def _too_few(
    number: int, verb: str, good: int, minimum: int, errors: dict[str, LearnerError]
) -> UserCodeError | TooFewLearnersError:
    """Return the true cause: a mistake in the user's code goes before lost learners."""
    told = f"round {number}: {good} of at least {minimum} learners could {verb}"
    for name, error in sorted(errors.items()):
        if error.is_user_code:
            others = {one: it for one, it in errors.items() if str(it) != str(error)}
            return UserCodeError(
                f"{error.reason} ({told}{_listed(others)})"[:4000],
                hint=error.hint or "Correct the ML repository and submit the project again.",
                where=error.where,
                origin=name,
                round=number,
            )
    hint = "See the learners' own failures and logs."
    return TooFewLearnersError(f"{told}{_listed(errors)}"[:4000], hint=hint, round=number)


def _listed(errors: dict[str, LearnerError]) -> str:
    return "".join(f"; {name}: {error}" for name, error in sorted(errors.items()))
