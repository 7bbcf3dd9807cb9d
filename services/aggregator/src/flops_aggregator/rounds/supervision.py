"""Runs the rounds: a Flower strategy around the project's strategy, for clients that may fail.

Flower's strategies wait for ever for missing clients, raise when one reply is malformed, and go on
when all clients failed. This one passes on only usable replies, and ends the training with the true
cause when there are fewer than the minimum. Its clients are learners, or the aggregators of
clusters; both reply alike.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from flops_aggregator.checkpoints.best_model import RoundModel, is_better
from flops_aggregator.checkpoints.files import NO_MEMORY, Checkpoint, Memory
from flops_aggregator.checkpoints.strategy_state import random_state, state_of
from flops_aggregator.privacy.protection import UNPROTECTED, Protection
from flops_aggregator.replies.checks import (
    as_reply,
    checked_evaluate_reply,
    checked_train_reply,
    metrics_of,
)
from flops_aggregator.replies.dtypes import with_dtypes_of
from flops_aggregator.replies.folding import Accumulator, is_large
from flops_aggregator.replies.requests import Clients, Present, Request, Requests
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.progress import Evaluated, RoundWatch
from flops_aggregator.rounds.reporting import RoundReporter
from flops_contracts.orders import TrainOrder
from flops_contracts.strategies import STRATEGIES
from flops_grid.errors import BudgetSpentError
from flops_grid.messages.file_memory import moved_to_files
from flops_grid.messages.records import EXCHANGE, RUN, SAMPLES, TRACE, TRAIN_LOSS, arrays_of
from flops_runtime import tracing


class SupervisedStrategy(Strategy):
    """Runs ``inner``, which counts the rounds over all cycles.

    ``best`` is the best round so far at a root, ``samples`` the number of samples trained on in
    each round, and ``first_train_loss`` the loss of the initial parameters where the strategy or a
    parent needs it.
    """

    def __init__(  # noqa: PLR0913 - a root, a cluster and a simulation differ in each
        self,
        inner: Strategy,
        training: TrainOrder,
        clients: Clients,
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
        self._clients = clients
        self._place = place
        self._keep = memory.keep
        self._protection = protection
        self._facts = STRATEGIES[training.strategy.name]
        self._wants_train_loss = wants_train_loss or self._facts.needs_train_loss
        self._requests = Requests(training, clients, watch.waits, clock)
        since = memory.since
        self._done = since.round if since else 0
        history = since.history if since else ()
        self._reporter = RoundReporter(training, clients, watch, place, self._done, history, clock)
        self._accumulator: Accumulator | None = None
        self.best: RoundModel | None = since.best if since else None
        self.samples: list[float] = list(since.samples) if since else []
        self.first_train_loss: float | None = since.first_train_loss if since else None

    def summary(self) -> None:
        """Log the inner strategy's settings."""
        self._inner.summary()

    def run(self, grid: Any, arrays: ArrayRecord, config: ConfigRecord) -> ArrayRecord:
        """Run the remaining rounds over ``grid``; return the last round's parameters.

        Large ``arrays`` are taken out of the record, so that nobody keeps them in memory.
        """
        remaining = self._training.rounds - self._done
        if remaining <= 0:
            return arrays
        if is_large(arrays):
            arrays = moved_to_files(arrays)
        timeout = self._training.round_timeout_seconds
        try:
            return self.start(grid, arrays, remaining, timeout, train_config=config).arrays
        except BudgetSpentError as error:
            if self._reporter.round.number == self._done:
                raise
            self._reporter.notice(f"The training ends here: {error}.")
            self._keep(self._checkpoint())
            return self._reporter.round.arrays
        finally:
            self._reporter.round.span.end()

    def start(self, grid: Any, *arguments: Any, **named: Any) -> Result:
        """Run Flower's loop over ``Requests``, which retry and leave clients out."""
        del grid
        return super().start(cast(Grid, self._requests), *arguments, **named)

    def configure_train(
        self,
        server_round: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,  # noqa: ARG002 - the inner strategy gets one that does not change
    ) -> list[Message]:
        """Begin a round: all clients train from ``arrays``; raise ``BudgetSpentError``."""
        if reason := self._protection.reason_to_stop():
            raise BudgetSpentError(reason)
        self._reporter.begin(self._done + server_round, arrays)
        present = self._wait_for_enough(self._training.min_fit)
        self._reporter.started()
        config = ConfigRecord({**self._sent_config(config), **self._protection.config()})
        self._protection.before_request()
        self._accumulator = self._protection.accumulator(self._inner, arrays, self._clients)
        accumulator, sent = self._accumulator, arrays if self._protection.sees_updates else None
        extra = [TRAIN_LOSS] if self._wants_train_loss else []
        metrics = (*self._protection.required_metrics, *extra)

        def check(reply: Message) -> Message:
            return checked_train_reply(reply, sent, metrics, accumulator)

        messages = self._inner.configure_train(self._reporter.exchange, arrays, config, present)
        return self._sending(messages, self._training.min_fit, check)

    def aggregate_train(
        self,
        server_round: int,  # noqa: ARG002 - the inner strategy counts on over the cycles
        replies: Iterable[Message],
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the usable replies; raise the cause when they are fewer than the minimum."""
        this = self._reporter.round
        checked = self._in_order(replies)
        this.fits = self._good_replies(checked, "train", self._training.min_fit)
        node_ids = [reply.metadata.src_node_id for reply in checked]
        this.uploads = {
            self._clients.name_of(node_id): self._clients.upload_seconds(node_id)
            for node_id in node_ids
        }
        self.samples.append(this.samples)
        if self._wants_train_loss and len(self.samples) == 1:
            self.first_train_loss = this.train_loss
        self._protection.note_release(this.fits)
        accumulator, self._accumulator = self._accumulator, None
        if accumulator:
            mean = accumulator.mean()
            self._reporter.dropped_out(accumulator.left_out)
            if not self._facts.takes_steps:
                this.arrays = with_dtypes_of(mean, this.arrays)
                return this.arrays, None
            checked = [as_reply(mean, checked)]
        arrays, _ = self._inner.aggregate_train(self._reporter.exchange, checked)
        if arrays is not None:
            this.arrays = arrays = self._typed(arrays, checked)
        for reply in checked:
            # Flower's ``array_records`` in the inner strategy made reference cycles: ``arrays_of``.
            if reply.has_content() and (trained := arrays_of(reply.content)):
                trained.clear()
        return arrays, None

    def configure_evaluate(
        self,
        server_round: int,  # noqa: ARG002 - see aggregate_train
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,  # noqa: ARG002 - see configure_train
    ) -> list[Message]:
        """All clients evaluate the average."""
        minimum = self._training.min_evaluate
        present, config = self._wait_for_enough(minimum), self._sent_config(config)
        messages = self._inner.configure_evaluate(self._reporter.exchange, arrays, config, present)
        return self._sending(messages, minimum, checked_evaluate_reply)

    def aggregate_evaluate(
        self,
        server_round: int,  # noqa: ARG002 - see aggregate_train
        replies: Iterable[Message],
    ) -> None:
        """End a round: weight the metrics by samples, keep the best model, report."""
        result, this = self._evaluated(replies), self._reporter.round
        model = RoundModel(this.number, this.arrays, result.loss, result.accuracy)
        # Below a parent, the parent decides on the best round: it asks all clusters.
        if self._place.is_root and is_better(model, self.best, self._training.best_by):
            self.best = model
        self._reporter.completed(result, self._protection.metrics())
        is_last = this.number == self._training.rounds
        if this.number % self._training.checkpoint_every_rounds == 0 or is_last:
            self._keep(self._checkpoint())

    def _checkpoint(self) -> Checkpoint:
        this = self._reporter.round
        return Checkpoint(
            number=self._reporter.exchange,
            round=this.number,
            cycle=self._place.cycle or 1,
            arrays=this.arrays,
            strategy={
                **state_of(self._inner, self._training.strategy.name),
                **self._protection.state(),
            },
            best=self.best,
            history=tuple(self._reporter.history),
            samples=tuple(self.samples),
            first_train_loss=self.first_train_loss,
            random=random_state(),
        )

    def evaluate(self, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> Evaluated:
        """Return how all clients evaluate ``arrays``, outside of the rounds."""
        last = self._training.rounds
        self._reporter.begin(last, arrays, is_evaluation_only=True)
        messages = self.configure_evaluate(last, arrays, config, grid)
        timeout = self._training.round_timeout_seconds
        return self._evaluated(self._requests.send_and_receive(messages, timeout=timeout))

    def _in_order(self, replies: Iterable[Message]) -> list[Message]:
        """Sort by name: floating-point sums depend on the order, and arrival is random."""
        return sorted(replies, key=lambda reply: self._clients.name_of(reply.metadata.src_node_id))

    def _evaluated(self, replies: Iterable[Message]) -> Evaluated:
        this, minimum = self._reporter.round, self._training.min_evaluate
        this.evaluations = self._good_replies(self._in_order(replies), "evaluate", minimum)
        return this.evaluated

    def _good_replies(
        self, replies: list[Message], verb: str, minimum: int
    ) -> dict[str, dict[str, float]]:
        return self._reporter.good_replies(replies, verb, minimum, self._requests.left_out)

    def _sent_config(self, config: ConfigRecord) -> ConfigRecord:
        """Return the config for the clients, with the keys that only aggregators among them use."""
        trace = self._reporter.round.span.traceparent or tracing.current()
        sent = {**config, **({TRACE: trace} if trace else {})}
        if self._clients.has_aggregators():
            sent |= {EXCHANGE: self._reporter.exchange, RUN: self._place.run_id()}
        return ConfigRecord(sent)

    def _typed(self, arrays: ArrayRecord, checked: list[Message]) -> ArrayRecord:
        weighted = [
            (metrics_of(reply)[SAMPLES], trained)
            for reply in checked
            if reply.has_content() and (trained := arrays_of(reply.content))
        ]
        takes_steps = self._facts.takes_steps
        return with_dtypes_of(
            arrays, self._reporter.round.arrays, weighted, takes_steps=takes_steps
        )

    def _wait_for_enough(self, minimum: int) -> Grid:
        """Return the clients that are connected; raise ``TooFewLearnersError`` for too few."""
        needed = max(minimum, self._training.min_available)
        node_ids = self._requests.wait_for_enough(needed, self._reporter.title)
        if len(node_ids) < needed:
            raise self._reporter.missing(needed, node_ids, self._requests.left_out)
        return cast(Grid, Present(node_ids))

    def _sending(
        self, messages: Iterable[Message], minimum: int, check: Callable[[Message], Message]
    ) -> list[Message]:
        self._requests.prepare(Request(self._reporter.title, minimum, check))
        return self._reporter.sending(messages)
