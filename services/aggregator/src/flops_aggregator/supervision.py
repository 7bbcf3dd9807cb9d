"""A strategy around the strategy: it watches over every round and knows what came of it.

Flower's strategies wait for ever for missing clients, raise when one reply is odd, go on
when all failed, and tell nobody. This wrapper gives them only what they can use, ends the training
with the true cause when the minima are missed, and reports each round. Its clients are learners,
or the aggregators of clusters; both answer alike.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, cast

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from flops_aggregator.best_model import RoundModel, is_better
from flops_aggregator.causes import too_few
from flops_aggregator.dtypes import with_dtypes_of
from flops_aggregator.errors import TooFewLearnersError
from flops_aggregator.place import Place
from flops_aggregator.replies import (
    checked_evaluate_replies,
    checked_train_replies,
    metrics_of,
)
from flops_aggregator.rounds import Evaluated, Round
from flops_aggregator.settings import TrainingSettings
from flops_aggregator.strategies import NEED_TRAIN_LOSS, TAKE_STEPS
from flops_contracts.events import RoundCompleted, RoundStarted
from flops_grid.errors import LearnerError
from flops_grid.records import ARRAYS, EXCHANGE, RUN, SAMPLES

logger = logging.getLogger(__name__)


class Learners(Protocol):
    """What is asked about the clients; ``StreamGrid`` is one."""

    def get_node_ids(self) -> list[int]:
        """Return the ids of those that work can be sent to."""

    def wait_for_learners(self, count: int, timeout_seconds: float) -> list[str]:
        """Wait until ``count`` are connected; return who is."""

    def name_of(self, node_id: int) -> str:
        """Return the name of one."""

    def has_aggregators(self) -> bool:
        """Say whether they are aggregators with learners of their own."""


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


class SupervisedStrategy(Strategy):
    """``inner`` over clients that may fail; it counts rounds over all cycles.

    ``best`` is the best round so far, ``samples`` what was trained on in each round, and
    ``first_train_loss`` the loss of the first parameters where the strategy or a parent needs it.
    """

    def __init__(
        self,
        inner: Strategy,
        training: TrainingSettings,
        learners: Learners,
        watch: RoundWatch,
        place: Place,
        *,
        wants_train_loss: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._training = training
        self._learners = learners
        self._watch = watch
        self._place = place
        self._wants_train_loss = wants_train_loss or training.strategy.name in NEED_TRAIN_LOSS
        self._clock = clock
        self._round = Round()
        self.best: RoundModel | None = None
        self.samples: list[float] = []
        self.first_train_loss: float | None = None

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
        """Begin a round: all clients train from ``arrays``."""
        self._round = Round(server_round, self._clock(), arrays)
        present = self._wait_for_enough(self._training.min_fit)
        rounds, is_cycle = self._training.rounds, self._learners.has_aggregators()
        self._watch.round_started(RoundStarted(server_round, rounds, self._cycle, is_cycle))
        told = self._told(config)
        return self._asked(self._inner.configure_train(self._exchange, arrays, told, present))

    def aggregate_train(
        self,
        server_round: int,  # noqa: ARG002 - the inner strategy counts on over the cycles
        replies: Iterable[Message],
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average what is usable; raise when that are fewer than the minimum."""
        this = self._round
        checked = checked_train_replies(
            replies, this.arrays, wants_train_loss=self._wants_train_loss
        )
        this.fits = self._usable(checked, "train", self._training.min_fit)
        self.samples.append(this.samples)
        if self._wants_train_loss and len(self.samples) == 1:
            self.first_train_loss = this.train_loss
        arrays, metrics = self._inner.aggregate_train(self._exchange, checked)
        if arrays is not None:
            this.arrays = arrays = self._typed(arrays, checked)
        return arrays, metrics

    def configure_evaluate(
        self,
        server_round: int,  # noqa: ARG002 - see aggregate_train
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,  # noqa: ARG002 - see configure_train
    ) -> list[Message]:
        """All clients evaluate the average."""
        present = self._wait_for_enough(self._training.min_evaluate)
        told = self._told(config)
        return self._asked(self._inner.configure_evaluate(self._exchange, arrays, told, present))

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """End a round: weigh the metrics by samples, keep the best model, tell everybody."""
        checked = checked_evaluate_replies(replies)
        found = self._evaluated(checked)
        metrics = self._inner.aggregate_evaluate(self._exchange, checked)
        model = RoundModel(server_round, self._round.arrays, found.loss, found.accuracy)
        if is_better(model, self.best):
            self.best = model
        self._watch.round_completed(self._completed(found))
        return metrics

    def evaluate(self, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> Evaluated:
        """Let all clients evaluate ``arrays`` outside of the rounds."""
        last = self._training.rounds
        self._round = Round(last, self._clock(), arrays, is_evaluation_only=True)
        messages = self.configure_evaluate(last, arrays, config, grid)
        timeout = self._training.round_timeout_seconds
        replies = grid.send_and_receive(messages, timeout=timeout)
        return self._evaluated(checked_evaluate_replies(replies))

    def _evaluated(self, checked: list[Message]) -> Evaluated:
        this = self._round
        this.evaluations = self._usable(checked, "evaluate", self._training.min_evaluate)
        return this.evaluated

    @property
    def _cycle(self) -> int:
        """The cycle that the round belongs to; over aggregators, each round is one."""
        return self._exchange if self._learners.has_aggregators() else self._place.cycle or 1

    @property
    def _exchange(self) -> int:
        return self._place.exchange(self._round.number, self._training.rounds)

    def _told(self, config: ConfigRecord) -> ConfigRecord:
        """Return what the clients are told, with what aggregators among them have to know."""
        if not self._learners.has_aggregators():
            return ConfigRecord(dict(config))
        return ConfigRecord({**config, EXCHANGE: self._exchange, RUN: self._place.run_id()})

    def _typed(self, arrays: ArrayRecord, checked: list[Message]) -> ArrayRecord:
        usable = [
            (metrics_of(reply)[SAMPLES], reply.content.array_records[ARRAYS])
            for reply in checked
            if reply.has_content()
        ]
        takes_steps = self._training.strategy.name in TAKE_STEPS
        return with_dtypes_of(arrays, self._round.arrays, usable, takes_steps=takes_steps)

    def _wait_for_enough(self, minimum: int) -> Grid:
        """Return who is there when they are enough; raise ``TooFewLearnersError`` in the end."""
        needed = max(minimum, self._training.min_available)
        timeout = self._training.return_timeout_seconds
        node_ids = self._learners.get_node_ids()
        if len(node_ids) < needed:
            logger.warning("%d of %d needed %s are there", len(node_ids), needed, self._whom)
            self._learners.wait_for_learners(needed, timeout)
            node_ids = self._learners.get_node_ids()
        if len(node_ids) < needed:
            names = ", ".join(sorted(map(self._learners.name_of, node_ids))) or "nobody"
            raise TooFewLearnersError(
                f"{self._what} needs {needed} {self._whom}; after {timeout:g} s only "
                f"{len(node_ids)} were there: {names}",
                hint="See why the others ended.",
                origin_cluster=self._place.cluster,
                round=self._round.number,
                cycle=self._place.cycle,
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
        """Return the metrics of each good reply by its client, and note why the others failed."""
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
            logger.warning("%s could not %s in %s: %s", name, verb, self._what, error)
        this.errors.update(errors)
        if len(good) < minimum:
            told = f"{self._what}: {len(good)} of at least {minimum} {self._whom} could {verb}"
            raise too_few(told, errors, self._place, this.number)
        return good

    @property
    def _what(self) -> str:
        if self._round.is_evaluation_only:
            return f"the evaluation after cycle {self._place.cycle}"
        kind = "cycle" if self._learners.has_aggregators() else "round"
        return f"{kind} {self._round.number}"

    @property
    def _whom(self) -> str:
        return "clusters" if self._learners.has_aggregators() else "learners"

    def _completed(self, found: Evaluated) -> RoundCompleted:
        this = self._round
        return RoundCompleted(
            round=this.number,
            rounds=self._training.rounds,
            loss=found.loss,
            accuracy=found.accuracy,
            seconds=self._clock() - this.began,
            cycle=self._cycle,
            metrics={
                "learners": float(len(this.fits)),
                "samples": this.samples,
                "fit_seconds": this.fit_seconds,
            },
            learners=this.rows,
            is_cycle=self._learners.has_aggregators(),
        )
