"""The learner's part of a round: take the parameters, train or evaluate, reply."""

import gc
import time
import traceback
from collections.abc import Callable
from typing import Any, Final, Protocol

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from flops_contracts.privacy import NO_PRIVACY, Privacy
from flops_grid.errors import UserCodeError
from flops_grid.messages.records import (
    ACCURACY,
    ARRAYS,
    EVALUATE_SECONDS,
    FIT_SECONDS,
    INTERNAL,
    LOSS,
    METRICS,
    SAMPLES,
    TRACE,
    TRAIN_LOSS,
    WANTS_TRAIN_LOSS,
    arrays_from_parameters,
    arrays_of,
    config_in,
    parameters_from_arrays,
)
from flops_grid.secure.updates import SecureUpdates
from flops_grid.updates.clipping import PrivateUpdates
from flops_grid.updates.compression import Compression
from flops_grid.user_model import UserModel
from flops_learner import metrics as counted
from flops_runtime import tracing

TRACEBACK_CHARACTERS: Final = 3000
Answer = Callable[[Message, Context], Message]
Mod = Callable[[Message, Context, Answer], Message]


class Listener(Protocol):
    """Is informed about what the learner does."""

    def doing(self, state: str) -> None:
        """Called when the learner begins something else."""

    def training(self, round_: int) -> None:
        """Called when the training of a round begins."""

    def raised(self, text: str) -> None:
        """Called with the traceback when the user's code raised."""

    def noticed(self, text: str) -> None:
        """Called with something that the user should know, though nothing failed."""


class NullListener:
    """Ignores all calls."""

    def doing(self, state: str) -> None:
        """Do nothing."""

    def training(self, round_: int) -> None:
        """Do nothing."""

    def raised(self, text: str) -> None:
        """Do nothing."""

    def noticed(self, text: str) -> None:
        """Do nothing."""


NULL_LISTENER: Final = NullListener()
ROUND: Final = "server-round"
"""Flower's config key for the number of the round."""


class Training:
    """A user's model as Flower's client; ``rounds`` and ``samples`` count the training."""

    def __init__(
        self,
        model: UserModel,
        listener: Listener = NULL_LISTENER,
        clock: Callable[[], float] = time.monotonic,
        privacy: Privacy = NO_PRIVACY,
    ) -> None:
        self._model = model
        self._listener = listener
        self._clock = clock
        self._compression = Compression()
        self._private_updates = PrivateUpdates(privacy.differential_privacy)
        self._secure_updates = SecureUpdates(privacy, listener.noticed)
        self.rounds = 0
        self.samples = 0

    def client_app(self) -> ClientApp:
        """Return the app that replies to the aggregator; exceptions of the user's code leave it."""
        app = ClientApp()
        # The outermost first: updates are private before they are masked or compressed.
        mods: list[Mod] = [self._compression, self._secure_updates, self._private_updates]
        app.train(mods=mods)(self._reporting("fit", self._train))
        app.evaluate()(self._reporting("evaluate", self._evaluate))
        self._secure_updates.register(app)
        return app

    def _reporting(self, task: str, answer: Answer) -> Answer:
        def answer_or_report(message: Message, context: Context) -> Message:
            try:
                with tracing.span(task, str(_config(message).get(TRACE, ""))):
                    return answer(message, context)
            except UserCodeError as error:
                counted.ERRORS.labels(task).inc()
                lines = "".join(traceback.format_exception(error.__cause__ or error))
                self._listener.raised(f"{error}\n{lines[-TRACEBACK_CHARACTERS:]}")
                raise

        return answer_or_report

    def _train(self, message: Message, _context: Context) -> Message:
        config = _config(message)
        number = config.get(ROUND, self.rounds + 1)
        self._listener.training(number if isinstance(number, int) else self.rounds + 1)
        self._take_parameters(message)
        metrics = MetricRecord()
        if config.get(WANTS_TRAIN_LOSS):
            metrics[TRAIN_LOSS] = self._model.evaluate().loss
        fit_config = _of_strategy(config)
        self._check_config(fit_config)
        began = self._clock()
        metrics[SAMPLES] = self._model.fit(fit_config)
        # Libraries leave copies of the data in reference cycles; so few objects never trigger the
        # garbage collector, and the copies would pile up over the rounds.
        gc.collect()
        metrics[FIT_SECONDS] = seconds = self._clock() - began
        counted.FIT.observe(seconds)
        arrays = arrays_from_parameters(self._model.parameters())
        self.rounds += 1
        self.samples = int(metrics[SAMPLES])  # type: ignore[arg-type] # it is the count from above
        counted.SAMPLES.inc(self.samples)
        self._listener.doing("waiting for the aggregator")
        return Message(RecordDict({ARRAYS: arrays, METRICS: metrics}), reply_to=message)

    def _evaluate(self, message: Message, _context: Context) -> Message:
        self._listener.doing("evaluating")
        self._take_parameters(message)
        began = self._clock()
        evaluation = self._model.evaluate()
        seconds = self._clock() - began
        counted.EVALUATE.observe(seconds)
        metrics = MetricRecord(
            {
                SAMPLES: evaluation.samples,
                LOSS: evaluation.loss,
                ACCURACY: evaluation.accuracy,
                EVALUATE_SECONDS: seconds,
            }
        )
        self._listener.doing("waiting for the aggregator")
        return Message(RecordDict({METRICS: metrics}), reply_to=message)

    def _check_config(self, config: dict[str, Any]) -> None:
        """Report a strategy whose config the user's ``fit_model`` does not take."""
        keys = ", ".join(sorted(set(config) - {ROUND}))
        if keys and not self.rounds and not self._model.takes_config:
            self._listener.noticed(
                f"The strategy sends {keys} to fit_model, which has no parameter config: "
                "without these it trains like FedAvg."
            )

    def _take_parameters(self, message: Message) -> None:
        arrays = arrays_of(message.content)
        if arrays is None:
            raise KeyError(ARRAYS)
        self._model.set_parameters(parameters_from_arrays(arrays))


def freeze_existing_objects() -> None:
    """Exclude objects that exist now from later garbage collections."""
    gc.collect()
    gc.freeze()


def _of_strategy(config: ConfigRecord) -> dict[str, Any]:
    """Return the part of the config for the user's code, which the strategy sends."""
    return {key: value for key, value in config.items() if not key.startswith(INTERNAL)}


def _config(message: Message) -> ConfigRecord:
    return config_in(message.content)
