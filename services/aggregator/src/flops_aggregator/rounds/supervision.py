"""A strategy around the strategy: it watches over every round and knows what came of it.

Flower's strategies wait for ever for missing clients, raise when one reply is odd, go on
when all failed, and tell nobody. This wrapper gives them only what they can use, ends the training
with the true cause when the minima are missed, and reports each round. Its clients are learners,
or the aggregators of clusters; both answer alike.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from flops_aggregator.checkpoints.best_model import RoundModel, is_better
from flops_aggregator.checkpoints.files import NO_MEMORY, Checkpoint, Memory
from flops_aggregator.checkpoints.strategy_state import kept_of, random_state
from flops_aggregator.metrics import REPLIES
from flops_aggregator.privacy.protection import UNPROTECTED, Protection
from flops_aggregator.replies.asking import Asking, Clients, Present, Wanted
from flops_aggregator.replies.checks import (
    as_reply,
    checked_evaluate_replies,
    checked_train_replies,
    metrics_of,
)
from flops_aggregator.replies.dtypes import with_dtypes_of
from flops_aggregator.replies.folding import Gathering, is_large
from flops_aggregator.rounds.causes import too_few
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.progress import Evaluated, Round, RoundWatch
from flops_aggregator.settings import TrainingSettings
from flops_contracts.events import BYTES_DOWN, BYTES_UP, RoundCompleted, RoundStarted
from flops_contracts.strategies import STRATEGIES
from flops_grid.errors import BudgetSpentError, LearnerError
from flops_grid.messages.file_memory import moved_to_files
from flops_grid.messages.records import ARRAYS, EXCHANGE, RUN, SAMPLES, TRACE, TRAIN_LOSS
from flops_runtime import tracing


class SupervisedStrategy(Strategy):
    """``inner`` over clients that may fail; it counts rounds over all cycles.

    ``best`` is the best round so far where that is kept, ``samples`` what was trained on in each
    round, and ``first_train_loss`` the loss of the first parameters where the strategy or a parent
    needs it.
    """

    def __init__(  # noqa: PLR0913 - a root, a cluster and a simulation differ in each
        self,
        inner: Strategy,
        training: TrainingSettings,
        learners: Clients,
        watch: RoundWatch,
        place: Place,
        *,
        memory: Memory = NO_MEMORY,
        protection: Protection = UNPROTECTED,
        wants_train_loss: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._training = training
        self._learners = learners
        self._watch = watch
        self._place = place
        self._keep = memory.keep
        self._protection = protection
        self._facts = STRATEGIES[training.strategy.name]
        self._wants_train_loss = wants_train_loss or self._facts.needs_train_loss
        self._clock = clock
        self._asking = Asking(training, learners, watch.waits, clock)
        since = memory.since
        self._done = since.round if since else 0
        self._round = Round(self._done)
        self._gathering: Gathering | None = None
        self._history = list(since.history) if since else []
        self.best: RoundModel | None = since.best if since else None
        self.samples: list[float] = list(since.samples) if since else []
        self.first_train_loss: float | None = since.first_train_loss if since else None

    def summary(self) -> None:
        """Tell what the inner strategy tells."""
        self._inner.summary()

    def run(self, grid: Any, arrays: ArrayRecord, config: ConfigRecord) -> ArrayRecord:
        """Run the rounds that are left over ``grid``; return the last one's parameters.

        Large ``arrays`` are taken out of the record, so that nobody holds them in memory.
        """
        left = self._training.rounds - self._done
        if left <= 0:
            return arrays
        if is_large(arrays):
            arrays = moved_to_files(arrays)
        timeout = self._training.round_timeout_seconds
        try:
            return self.start(grid, arrays, left, timeout, train_config=config).arrays
        except BudgetSpentError as error:
            if self._round.number == self._done:
                raise
            self._watch.noticed(f"The training ends here: {error}.")
            self._keep(self._checkpoint())
            return self._round.arrays
        finally:
            self._round.span.end()

    def start(self, grid: Any, *arguments: Any, **named: Any) -> Result:
        """Run Flower's loop with a grid that asks again, and leaves out."""
        del grid
        return super().start(cast(Grid, self._asking), *arguments, **named)

    def configure_train(
        self,
        server_round: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,  # noqa: ARG002 - the inner strategy gets one that does not change
    ) -> list[Message]:
        """Begin a round: all clients train from ``arrays``; raise ``BudgetSpentError``."""
        if spent := self._protection.why_not_on():
            raise BudgetSpentError(spent)
        number = self._done + server_round
        self._round = Round(number, self._clock(), self._learners.moved(), arrays)
        present = self._wait_for_enough(self._training.min_fit)
        rounds, is_cycle = self._training.rounds, self._learners.has_aggregators()
        self._round.span = tracing.begin(self._what)
        self._watch.round_started(RoundStarted(number, rounds, self._cycle, is_cycle))
        told = ConfigRecord({**self._told(config), **self._protection.told()})
        self._protection.asks()
        self._gathering = gathering = self._protection.gather(self._inner, arrays, self._learners)
        also = (*self._protection.wanted, *([TRAIN_LOSS] if self._wants_train_loss else []))

        def check(replies: Iterable[Message]) -> list[Message]:
            sent = arrays if self._protection.sees_updates else None
            return checked_train_replies(replies, sent, also=also, gathering=gathering)

        self._asking.want(Wanted(self._what, self._training.min_fit, check))
        return self._asked(self._inner.configure_train(self._exchange, arrays, told, present))

    def aggregate_train(
        self,
        server_round: int,  # noqa: ARG002 - the inner strategy counts on over the cycles
        replies: Iterable[Message],
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average what is usable; raise when that are fewer than the minimum."""
        this = self._round
        checked = self._in_order(replies)
        this.fits = self._usable(checked, "train", self._training.min_fit)
        node_ids = [reply.metadata.src_node_id for reply in checked]
        this.uploads = {
            self._learners.name_of(one): self._learners.upload_seconds(one) for one in node_ids
        }
        self.samples.append(this.samples)
        if self._wants_train_loss and len(self.samples) == 1:
            self.first_train_loss = this.train_loss
        self._protection.releases(this.fits)
        gathering, self._gathering = self._gathering, None
        if gathering:
            mean = gathering.mean()
            self._note_left_out(gathering.left_out)
            if not self._facts.takes_steps:
                this.arrays = with_dtypes_of(mean, this.arrays)
                return this.arrays, None
            checked = [as_reply(mean, checked)]
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
        minimum = self._training.min_evaluate
        self._asking.want(Wanted(self._what, minimum, checked_evaluate_replies))
        return self._asked(self._inner.configure_evaluate(self._exchange, arrays, told, present))

    def aggregate_evaluate(
        self,
        server_round: int,  # noqa: ARG002 - see aggregate_train
        replies: Iterable[Message],
    ) -> MetricRecord | None:
        """End a round: weigh the metrics by samples, keep the best model, tell everybody."""
        checked = self._in_order(replies)
        found = self._evaluated(checked)
        metrics = self._inner.aggregate_evaluate(self._exchange, checked)
        model = RoundModel(self._round.number, self._round.arrays, found.loss, found.accuracy)
        # Below a parent the best round is for it to tell: it asks everybody.
        if self._place.is_root and is_better(model, self.best, self._training.best_by):
            self.best = model
        completed = self._completed(found)
        self._history.append(replace(completed, learners=()))
        self._watch.round_completed(completed)
        self._round.span.end()
        if self._round.number % self._training.checkpoint_every_rounds == 0 or self._is_last:
            self._keep(self._checkpoint())
        return metrics

    @property
    def _is_last(self) -> bool:
        return self._round.number == self._training.rounds

    def _checkpoint(self) -> Checkpoint:
        this = self._round
        return Checkpoint(
            number=self._exchange,
            round=this.number,
            cycle=self._place.cycle or 1,
            arrays=this.arrays,
            strategy={
                **kept_of(self._inner, self._training.strategy.name),
                **self._protection.kept(),
            },
            best=self.best,
            history=tuple(self._history),
            samples=tuple(self.samples),
            first_train_loss=self.first_train_loss,
            random=random_state(),
        )

    def evaluate(self, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> Evaluated:
        """Let all clients evaluate ``arrays`` outside of the rounds."""
        last = self._training.rounds
        self._round = Round(
            last, self._clock(), self._learners.moved(), arrays, is_evaluation_only=True
        )
        messages = self.configure_evaluate(last, arrays, config, grid)
        timeout = self._training.round_timeout_seconds
        replies = self._asking.send_and_receive(messages, timeout=timeout)
        return self._evaluated(self._in_order(replies))

    def _in_order(self, replies: Iterable[Message]) -> list[Message]:
        """Return the replies by name: sums of numbers depend on their order, arrival is chance."""
        return sorted(replies, key=lambda one: self._learners.name_of(one.metadata.src_node_id))

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
        trace = self._round.span.traceparent or tracing.current()
        told = {**config, **({TRACE: trace} if trace else {})}
        if self._learners.has_aggregators():
            told |= {EXCHANGE: self._exchange, RUN: self._place.run_id()}
        return ConfigRecord(told)

    def _typed(self, arrays: ArrayRecord, checked: list[Message]) -> ArrayRecord:
        usable = [
            (metrics_of(reply)[SAMPLES], reply.content.array_records[ARRAYS])
            for reply in checked
            if reply.has_content()
        ]
        takes_steps = self._facts.takes_steps
        return with_dtypes_of(arrays, self._round.arrays, usable, takes_steps=takes_steps)

    def _wait_for_enough(self, minimum: int) -> Grid:
        """Return who is there when they are enough; raise ``TooFewLearnersError`` in the end."""
        needed = max(minimum, self._training.min_available)
        node_ids = self._asking.wait_for_enough(needed, self._what)
        if len(node_ids) < needed:
            names = ", ".join(sorted(map(self._learners.name_of, node_ids))) or "nobody"
            told = (
                f"{self._what} needs {needed} {self._whom}; after "
                f"{self._training.return_timeout_seconds:g} s only {len(node_ids)} were there: "
                f"{names}"
            )
            raise too_few(told, self._asking.left_out, self._place, self._round.number)
        return cast(Grid, Present(node_ids))

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
        late = set(this.asked.values()) - set(good) - set(errors)
        if 0 < self._training.take_first <= len(good):
            this.surplus |= late
            REPLIES.labels("spare").inc(len(late))
        else:
            errors |= {one: LearnerError(f"no answer within {timeout:g} s") for one in late}
            REPLIES.labels("late").inc(len(late))
        for name, metrics in good.items():
            if odd := [key for key, value in metrics.items() if not math.isfinite(value)]:
                this.errors[name] = LearnerError(f"{' and '.join(odd)} is not a number")
        this.errors.update(errors)
        if len(good) < minimum:
            told = f"{self._what}: {len(good)} of at least {minimum} {self._whom} could {verb}"
            raise too_few(told, self._asking.left_out | errors, self._place, this.number)
        if errors:
            listed = "; ".join(f"{name}: {error}" for name, error in sorted(errors.items()))
            self._watch.noticed(f"{self._what} goes on without some to {verb}. {listed}"[:4000])
        return good

    def _note_left_out(self, left_out: Mapping[str, str]) -> None:
        """Tell who was lost while the mean was found, which is no answer of theirs."""
        self._round.errors |= {name: LearnerError(why) for name, why in left_out.items()}
        if left_out:
            listed = "; ".join(f"{name}: {why}" for name, why in sorted(left_out.items()))
            self._watch.noticed(f"{self._what}: lost while the sum was opened. {listed}"[:4000])

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
        moved = self._learners.moved() - this.moved
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
                BYTES_DOWN: float(moved.down),
                BYTES_UP: float(moved.up),
                **self._protection.metrics(),
            },
            learners=this.rows,
            is_cycle=self._learners.has_aggregators(),
        )
