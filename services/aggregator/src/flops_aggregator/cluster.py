"""An aggregator's clients as one client of its parent.

For a train message its rounds run below, from the parent's parameters; for an evaluate message its
clients evaluate these. Whether the parent is the root, and whether the clients are learners or
aggregators again, makes no difference.
"""

import logging
import math
import time
from collections.abc import Callable
from statistics import fmean
from typing import Protocol

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from flops_aggregator.place import Place
from flops_aggregator.settings import TrainingSettings
from flops_aggregator.strategies import build_strategy, train_config
from flops_aggregator.supervision import RoundWatch, SupervisedStrategy
from flops_grid.client import serve
from flops_grid.errors import CalledOffError
from flops_grid.link import Ended, Link
from flops_grid.records import (
    ACCURACY,
    ARRAYS,
    CONFIG,
    EVALUATE_SECONDS,
    EXCHANGE,
    FIT_SECONDS,
    INTERNAL,
    LOSS,
    METRICS,
    RUN,
    SAMPLES,
    TRAIN_LOSS,
    WANTS_TRAIN_LOSS,
)
from flops_grid.server import StreamGrid

logger = logging.getLogger(__name__)

SUPERSEDED = "the parent wants something else by now, or has ended"
SET_BY_ROUNDS = "server-round"
"""What the strategy tells in each round by itself."""


class Runs(Protocol):
    """The run in MLflow that this cluster's rounds are written to."""

    def nest_in(self, parent_run_id: str) -> None:
        """Open it as a child of that run, once; an empty id is one that is not known yet."""

    def run_id(self) -> str:
        """Return its id for aggregators below; empty when it is not known yet."""


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
        self._training = training
        self._name = name
        self._grid = grid
        self._watch = watch
        self._runs = runs
        self._clock = clock
        self._is_superseded: Callable[[], bool] = lambda: False
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
        app.train()(self._train)
        app.evaluate()(self._evaluate)
        return app

    def _train(self, message: Message, _context: Context) -> Message:
        self._begin(message)
        config, began = _config(message), self._clock()
        strategy = self._strategy(config)
        result = strategy.start(
            grid=self._grid,
            initial_arrays=message.content.array_records[ARRAYS],
            num_rounds=self._training.rounds,
            timeout=self._training.round_timeout_seconds,
            train_config=ConfigRecord({**_of_strategy(config), **train_config(self._training)}),
        )
        # The mean over the rounds: a learner that missed some of them counts for those it did.
        metrics = MetricRecord({SAMPLES: fmean(strategy.samples)})
        metrics[FIT_SECONDS] = self._clock() - began
        if config.get(WANTS_TRAIN_LOSS):
            metrics[TRAIN_LOSS] = _or_nan(strategy.first_train_loss)
        self.rounds += len(strategy.samples)
        self.samples = round(fmean(strategy.samples))
        return Message(RecordDict({ARRAYS: result.arrays, METRICS: metrics}), reply_to=message)

    def _evaluate(self, message: Message, _context: Context) -> Message:
        self._begin(message)
        config, began = _config(message), self._clock()
        found = self._strategy(config).evaluate(
            message.content.array_records[ARRAYS], _of_strategy(config), self._grid
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

    def _strategy(self, config: ConfigRecord) -> SupervisedStrategy:
        """Return what watches over these rounds; what the strategy has learnt goes on."""
        cycle = config.get(EXCHANGE)
        return SupervisedStrategy(
            self._inner,
            self._training,
            self._grid,
            self._watch,
            Place(self._name, cycle if isinstance(cycle, int) else None, self._runs.run_id),
            wants_train_loss=bool(config.get(WANTS_TRAIN_LOSS)),
            clock=self._clock,
        )


def _config(message: Message) -> ConfigRecord:
    return message.content.config_records.get(CONFIG) or ConfigRecord()


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
