"""An aggregator's clients as one client of its parent.

For a train message its rounds run below, from the parent's parameters; for an evaluate message its
clients evaluate these. Whether the parent is the root, and whether the clients are learners or
aggregators again, makes no difference.
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

from flops_aggregator.checkpoints.files import Checkpoint, Memory
from flops_aggregator.checkpoints.strategy_state import Kept, give, kept_of
from flops_aggregator.privacy.promises import build_protection
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.progress import RoundWatch
from flops_aggregator.rounds.strategies import build_strategy, train_config
from flops_aggregator.rounds.supervision import SupervisedStrategy
from flops_aggregator.settings import TrainingSettings
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

SUPERSEDED = "the parent wants something else by now, or has ended"
SET_BY_ROUNDS = "server-round"
"""What the strategy tells in each round by itself."""


class Runs(Protocol):
    """The run in MLflow that this cluster's rounds are written to."""

    def nest_in(self, parent_run_id: str) -> None:
        """Open it as a child of that run, once; an empty id is one that is not known yet."""

    def run_id(self) -> str:
        """Return its id for aggregators below; empty when it is not known yet."""

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return what an aggregator before this one left in it, if it is known by now."""

    def save_soon(self, checkpoint: Checkpoint) -> None:
        """Keep it there for an aggregator after this one."""

    def releases(self) -> int:
        """Return how many private results an aggregator before this one has let out."""

    def note_releases(self, count: int) -> None:
        """Write down how many there are, and wait until that is done."""


class Cluster:
    """Answers the parent; ``rounds`` and ``samples`` say what was trained below."""

    def __init__(
        self,
        training: TrainingSettings,
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
        self._before: dict[int, Kept] = {}
        self._is_new = True
        self.rounds = 0
        self.samples = 0

    def serve(self, link: Link) -> Ended:
        """Answer until the parent says goodbye; raise ``AggregatorUnreachableError``."""
        self._is_superseded = lambda: not link.inbox.empty()
        return serve(self.client_app(), link)

    def look_up(self) -> None:
        """Drop what is being done if there is news: the parent sends it when it waits no more."""
        if self._is_superseded():
            self._grid.call_off(SUPERSEDED)

    def client_app(self) -> ClientApp:
        """Return the app that answers the parent."""
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
        # The mean over the rounds: a learner that missed some of them counts for those it did.
        metrics = MetricRecord({SAMPLES: fmean(strategy.samples)})
        metrics[FIT_SECONDS] = self._clock() - began
        if config.get(WANTS_TRAIN_LOSS):
            metrics[TRAIN_LOSS] = _or_nan(strategy.first_train_loss)
        spent = self._protection.metrics()
        if RELEASES in spent:
            metrics[RELEASES] = spent[RELEASES]
        self.rounds += len(strategy.samples)
        self.samples = round(fmean(strategy.samples))
        return Message(RecordDict({ARRAYS: arrays, METRICS: metrics}), reply_to=message)

    def _evaluate(self, message: Message, _context: Context) -> Message:
        self._begin(message)
        config, began = _config(message), self._clock()
        found = self._strategy(config, None).evaluate(
            _arrays(message), _of_strategy(config), self._grid
        )
        metrics = MetricRecord(
            {
                SAMPLES: found.samples,
                LOSS: _or_nan(found.loss),
                ACCURACY: _or_nan(found.accuracy),
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
        """Let the strategy know what it has to at this point; return where the cycle stands.

        A parent that was replaced asks for a cycle again: the strategy forgets what it learnt in
        it. What this cluster's aggregator left unfinished goes on if the very same is asked.
        """
        cycle = _cycle(message)
        if self._is_new:
            self._is_new = False
            last = self._runs.latest_checkpoint()
            if last and last.cycle == cycle and last.request == message.metadata.message_id:
                self._know(last.strategy)
                self._before = {cycle: last.before}
                return last
            if last:
                is_again = last.cycle == cycle
                self._know(last.before if is_again else last.strategy)
        elif cycle in self._before:
            self._know(self._before[cycle])
        # Two cycles: a parent that was replaced may lack the checkpoint of its last one.
        last_one = {one: kept for one, kept in self._before.items() if one == cycle - 1}
        learnt = kept_of(self._inner, self._training.strategy.name)
        self._before = {**last_one, cycle: {**learnt, **self._protection.kept()}}
        return None

    def _know(self, kept: Kept) -> None:
        """Have strategy and protection stand where they stood."""
        give(self._inner, self._training.strategy.name, kept)
        self._protection.give(kept)

    def _strategy(
        self, config: ConfigRecord, since: Checkpoint | None, request: str = ""
    ) -> SupervisedStrategy:
        """Return what watches over these rounds; what the strategy has learnt goes on."""
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
    """Let what is done below be part of the parent's cycle in a trace."""

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
    """Return what the parent's strategy tells learners, FedProx's ``proximal-mu`` for example."""
    return ConfigRecord(
        {
            key: value
            for key, value in config.items()
            if not key.startswith(INTERNAL) and key != SET_BY_ROUNDS
        }
    )


def _or_nan(metric: float | None) -> float:
    return math.nan if metric is None else metric
