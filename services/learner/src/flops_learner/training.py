"""The learner's part of a round: take the parameters, train or evaluate, give an answer."""

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
    """Who wants to know what the learner does."""

    def doing(self, state: str) -> None:
        """Hear what is being done."""

    def training(self, round_: int) -> None:
        """Hear that a round is being trained."""

    def raised(self, told: str) -> None:
        """Hear that the user's code raised, with the traceback."""

    def noticed(self, told: str) -> None:
        """Hear what the user should know, though nothing failed."""


class Nobody:
    """Is not interested."""

    def doing(self, state: str) -> None:
        """Do nothing."""

    def training(self, round_: int) -> None:
        """Do nothing."""

    def raised(self, told: str) -> None:
        """Do nothing."""

    def noticed(self, told: str) -> None:
        """Do nothing."""


NOBODY: Final = Nobody()
ROUND: Final = "server-round"
"""What Flower's strategies call the number of the round in what they tell clients."""


class Training:
    """A user's model as Flower's client; ``rounds`` and ``samples`` say what was trained."""

    def __init__(
        self,
        model: UserModel,
        listener: Listener = NOBODY,
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
        """Return the app that answers the aggregator; what the user's code raises leaves it."""
        app = ClientApp()
        # The outermost first: what is hidden or compressed is private already.
        mods: list[Mod] = [self._compression, self._secure_updates, self._private_updates]
        app.train(mods=mods)(self._telling("fit", self._train))
        app.evaluate()(self._telling("evaluate", self._evaluate))
        self._secure_updates.register(app)
        return app

    def _telling(self, task: str, answer: Answer) -> Answer:
        def answer_or_tell(message: Message, context: Context) -> Message:
            try:
                with tracing.span(task, str(_config(message).get(TRACE, ""))):
                    return answer(message, context)
            except UserCodeError as error:
                counted.ERRORS.labels(task).inc()
                lines = "".join(traceback.format_exception(error.__cause__ or error))
                self._listener.raised(f"{error}\n{lines[-TRACEBACK_CHARACTERS:]}")
                raise

        return answer_or_tell

    def _train(self, message: Message, _context: Context) -> Message:
        config = _config(message)
        number = config.get(ROUND, self.rounds + 1)
        self._listener.training(number if isinstance(number, int) else self.rounds + 1)
        self._take_parameters(message)
        metrics = MetricRecord()
        if config.get(WANTS_TRAIN_LOSS):
            metrics[TRAIN_LOSS] = self._model.evaluate().loss
        told = _of_strategy(config)
        self._check_help(told)
        began = self._clock()
        metrics[SAMPLES] = self._model.fit(told)
        # Libraries leave copies of the data behind in cycles of references, which few objects never
        # make Python look for: they would pile up over the rounds.
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

    def _check_help(self, told: dict[str, Any]) -> None:
        """Say so when a strategy wants help that the user's code cannot give: it gets no config."""
        wanted = ", ".join(sorted(set(told) - {ROUND}))
        if wanted and not self.rounds and not self._model.takes_config:
            self._listener.noticed(
                f"The strategy sends {wanted} to fit_model, which has no parameter config: "
                "without this help it trains like FedAvg."
            )

    def _take_parameters(self, message: Message) -> None:
        arrays = arrays_of(message.content)
        if arrays is None:
            raise KeyError(ARRAYS)
        self._model.set_parameters(parameters_from_arrays(arrays))


def leave_out_of_garbage() -> None:
    """Let looking for garbage after each training pass over what is there by now, and stays."""
    gc.collect()
    gc.freeze()


def _of_strategy(config: ConfigRecord) -> dict[str, Any]:
    """Return what the user's code may know: what the strategy sends."""
    return {key: value for key, value in config.items() if not key.startswith(INTERNAL)}


def _config(message: Message) -> ConfigRecord:
    return config_in(message.content)
