"""A cluster's aggregator as a client of its parent.

For a train message it runs its rounds, from the parent's parameters; for an evaluate message its
clients evaluate these. It makes no difference whether the parent is the root, and whether the
clients are learners or aggregators.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from typing import Protocol

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from flops_aggregator.checkpoints.files import Checkpoint, CheckpointBook, Memory
from flops_aggregator.checkpoints.strategy_state import State, restore_state, state_of
from flops_aggregator.privacy.promises import build_protection
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.progress import RoundWatch
from flops_aggregator.rounds.strategies import build_strategy, train_config
from flops_aggregator.rounds.supervision import SupervisedStrategy
from flops_contracts.orders import TrainOrder
from flops_contracts.privacy import RELEASES
from flops_grid.client.app import serve
from flops_grid.client.link import Ended, Link
from flops_grid.errors import CalledOffError
from flops_grid.messages.records import (
    ACCURACY,
    ARRAYS,
    EVALUATE_SECONDS,
    EXCHANGE,
    FIT_SECONDS,
    INTERNAL,
    LOSS,
    METRICS,
    RUN,
    SAMPLES,
    TRACE,
    TRAIN_LOSS,
    WANTS_TRAIN_LOSS,
    arrays_of,
    config_in,
)
from flops_grid.server.grid import StreamGrid
from flops_grid.updates.compression import Compression
from flops_runtime import tracing

logger = logging.getLogger(__name__)

Answer = Callable[[Message, Context], Message]

SUPERSEDED = "the parent has sent newer work, or has ended"
SET_BY_ROUNDS = "server-round"
"""Key of the config that strategies set in each round themselves."""


class Runs(CheckpointBook, Protocol):
    """The run in MLflow that this cluster's rounds are recorded in."""

    def nest_in(self, parent_run_id: str) -> None:
        """Open it as a child of that run, once; an empty id is not known yet."""

    def run_id(self) -> str:
        """Return its id for aggregators below; empty if it is not known yet."""


class Cluster:
    """Replies to the parent; ``rounds`` and ``samples`` are those trained below so far."""

    def __init__(
        self,
        training: TrainOrder,
        name: str,
        grid: StreamGrid,
        watch: RoundWatch,
        runs: Runs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = build_strategy(training)
        self._protection = build_protection(training, runs)
        self._training = training
        self._name = name
        self._grid = grid
        self._watch = watch
        self._runs = runs
        self._clock = clock
        self._compression = Compression()
        self._is_superseded: Callable[[], bool] = lambda: False
        self._before: dict[int, State] = {}
        self._is_new = True
        self.rounds = 0
        self.samples = 0

    def serve(self, link: Link) -> Ended:
        """Reply until the parent says goodbye; raise ``AggregatorUnreachableError``."""
        self._is_superseded = lambda: not link.inbox.empty()
        return serve(self.client_app(), link)

    def call_off_if_superseded(self) -> None:
        """Stop the current work if the parent has sent something else: it no longer waits then."""
        if self._is_superseded():
            self._grid.call_off(SUPERSEDED)

    def client_app(self) -> ClientApp:
        """Return the app that replies to the parent."""
        app = ClientApp()
        app.train(mods=[self._compression])(_traced("cycle", self._train))
        app.evaluate()(_traced("evaluate", self._evaluate))
        return app

    def _train(self, message: Message, _context: Context) -> Message:
        self._begin(message)
        config, began = _config(message), self._clock()
        since = self._since(message)
        strategy = self._strategy(config, since, message.metadata.message_id)
        arrays = strategy.run(
            self._grid,
            since.arrays if since else _arrays(message),
            ConfigRecord({**_of_strategy(config), **train_config(self._training)}),
        )
        # The mean over the rounds: a learner counts for the rounds that it took part in.
        metrics = MetricRecord({SAMPLES: fmean(strategy.samples)})
        metrics[FIT_SECONDS] = self._clock() - began
        if config.get(WANTS_TRAIN_LOSS):
            metrics[TRAIN_LOSS] = _or_nan(strategy.first_train_loss)
        privacy = self._protection.metrics()
        if RELEASES in privacy:
            metrics[RELEASES] = privacy[RELEASES]
        self.rounds += len(strategy.samples)
        self.samples = round(fmean(strategy.samples))
        return Message(RecordDict({ARRAYS: arrays, METRICS: metrics}), reply_to=message)

    def _evaluate(self, message: Message, _context: Context) -> Message:
        self._begin(message)
        config, began = _config(message), self._clock()
        result = self._strategy(config, None).evaluate(
            _arrays(message), _of_strategy(config), self._grid
        )
        metrics = MetricRecord(
            {
                SAMPLES: result.samples,
                LOSS: _or_nan(result.loss),
                ACCURACY: _or_nan(result.accuracy),
                EVALUATE_SECONDS: self._clock() - began,
            }
        )
        return Message(RecordDict({METRICS: metrics}), reply_to=message)

    def _begin(self, message: Message) -> None:
        self._grid.resume()
        if self._is_superseded():
            raise CalledOffError(SUPERSEDED)
        self._runs.nest_in(str(_config(message).get(RUN, "")))

    def _since(self, message: Message) -> Checkpoint | None:
        """Restore the state for the cycle; return the checkpoint to continue it from, if any.

        A replaced parent may repeat a cycle: then the strategy returns to its state before it. A
        cycle that an earlier aggregator of this cluster left unfinished is continued if it answers
        the same message.
        """
        cycle = _cycle(message)
        if self._is_new:
            self._is_new = False
            last = self._runs.latest_checkpoint()
            if last and last.cycle == cycle and last.request == message.metadata.message_id:
                self._restore(last.strategy)
                self._before = {cycle: last.before}
                return last
            if last:
                self._restore(last.before if last.cycle == cycle else last.strategy)
        elif cycle in self._before:
            self._restore(self._before[cycle])
        # Two cycles are kept: a replaced parent may lack the checkpoint of its last cycle.
        previous = {key: state for key, state in self._before.items() if key == cycle - 1}
        learnt = state_of(self._inner, self._training.strategy.name)
        self._before = {**previous, cycle: {**learnt, **self._protection.state()}}
        return None

    def _restore(self, state: State) -> None:
        """Restore the state of strategy and protection."""
        restore_state(self._inner, self._training.strategy.name, state)
        self._protection.restore(state)

    def _strategy(
        self, config: ConfigRecord, since: Checkpoint | None, request: str = ""
    ) -> SupervisedStrategy:
        """Return the strategy for this message's rounds; its inner state continues."""
        cycle = config.get(EXCHANGE)

        def keep(checkpoint: Checkpoint) -> None:
            before = self._before.get(cycle if isinstance(cycle, int) else 1, {})
            self._runs.save_soon(replace(checkpoint, before=before, request=request, history=()))

        return SupervisedStrategy(
            self._inner,
            self._training,
            self._grid,
            self._watch,
            Place(self._name, cycle if isinstance(cycle, int) else None, self._runs.run_id),
            memory=Memory(since, keep),
            protection=self._protection,
            wants_train_loss=bool(config.get(WANTS_TRAIN_LOSS)),
            clock=self._clock,
        )


def _traced(name: str, answer: Answer) -> Answer:
    """Make ``answer`` a part of the parent's cycle in traces."""

    def answer_traced(message: Message, context: Context) -> Message:
        with tracing.span(name, str(_config(message).get(TRACE, ""))):
            return answer(message, context)

    return answer_traced


def _cycle(message: Message) -> int:
    cycle = _config(message).get(EXCHANGE)
    return cycle if isinstance(cycle, int) else 1


def _arrays(message: Message) -> ArrayRecord:
    arrays = arrays_of(message.content)
    if arrays is None:
        raise KeyError(ARRAYS)
    return arrays


def _config(message: Message) -> ConfigRecord:
    return config_in(message.content)


def _of_strategy(config: ConfigRecord) -> ConfigRecord:
    """Return the parent's config for learners, for example FedProx's ``proximal-mu``."""
    return ConfigRecord(
        {
            key: value
            for key, value in config.items()
            if not key.startswith(INTERNAL) and key != SET_BY_ROUNDS
        }
    )


def _or_nan(metric: float | None) -> float:
    return math.nan if metric is None else metric
