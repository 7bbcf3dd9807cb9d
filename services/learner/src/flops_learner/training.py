"""The learner's part of a round: take the parameters, train or evaluate, give an answer."""

import time
from collections.abc import Callable
from typing import Any

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from flops_grid.records import (
    ACCURACY,
    ARRAYS,
    CONFIG,
    EVALUATE_SECONDS,
    FIT_SECONDS,
    INTERNAL,
    LOSS,
    METRICS,
    SAMPLES,
    TRAIN_LOSS,
    WANTS_TRAIN_LOSS,
    arrays_from_parameters,
    parameters_from_arrays,
)
from flops_grid.user_model import UserModel


class Training:
    """A user's model as Flower's client; ``rounds`` and ``samples`` say what was trained."""

    def __init__(
        self,
        model: UserModel,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._tell = tell
        self._clock = clock
        self.rounds = 0
        self.samples = 0

    def client_app(self) -> ClientApp:
        """Return the app that answers the aggregator; what the user's code raises leaves it."""
        app = ClientApp()
        app.train()(self._train)
        app.evaluate()(self._evaluate)
        return app

    def _train(self, message: Message, _context: Context) -> Message:
        config = _config(message)
        self._tell(f"training round {config.get('server-round', self.rounds + 1)!s}")
        self._take_parameters(message)
        metrics = MetricRecord()
        if config.get(WANTS_TRAIN_LOSS):
            metrics[TRAIN_LOSS] = self._model.evaluate().loss
        began = self._clock()
        metrics[SAMPLES] = self._model.fit(_of_strategy(config))
        metrics[FIT_SECONDS] = self._clock() - began
        arrays = arrays_from_parameters(self._model.parameters())
        self.rounds += 1
        self.samples = int(metrics[SAMPLES])  # type: ignore[arg-type] # it is the count from above
        self._tell("waiting for the aggregator")
        return Message(RecordDict({ARRAYS: arrays, METRICS: metrics}), reply_to=message)

    def _evaluate(self, message: Message, _context: Context) -> Message:
        self._tell("evaluating")
        self._take_parameters(message)
        began = self._clock()
        evaluation = self._model.evaluate()
        metrics = MetricRecord(
            {
                SAMPLES: evaluation.samples,
                LOSS: evaluation.loss,
                ACCURACY: evaluation.accuracy,
                EVALUATE_SECONDS: self._clock() - began,
            }
        )
        self._tell("waiting for the aggregator")
        return Message(RecordDict({METRICS: metrics}), reply_to=message)

    def _take_parameters(self, message: Message) -> None:
        arrays = message.content.array_records[ARRAYS]
        self._model.set_parameters(parameters_from_arrays(arrays))


def _of_strategy(config: ConfigRecord) -> dict[str, Any]:
    """Return what the user's code may know: what the strategy sends."""
    return {key: value for key, value in config.items() if not key.startswith(INTERNAL)}


def _config(message: Message) -> ConfigRecord:
    return message.content.config_records.get(CONFIG) or ConfigRecord()
