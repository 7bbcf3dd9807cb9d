"""A user's model whose training is one step, and a learner of the service around it."""

from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Message

from flops_contracts.privacy import Privacy
from flops_grid.client.app import run_app
from flops_grid.user_model import UserModel
from flops_learner.training import NULL_LISTENER, Listener, Training

Arrays = list[np.ndarray[Any, Any]]


class WalkingModel:
    """Walks by a step of its own in each round."""

    def __init__(self, step: float, samples: int = 10) -> None:
        self.step, self.samples = step, samples
        self.parameters: Arrays = []

    def set_model_parameters(self, parameters: Arrays) -> None:
        self.parameters = parameters

    def get_model_parameters(self) -> Arrays:
        return self.parameters

    def fit_model(self) -> int:
        self.parameters = [
            np.asarray(parameter + self.step, parameter.dtype) for parameter in self.parameters
        ]
        return self.samples

    def evaluate_model(self) -> tuple[float, float, int]:
        return 0.5, 0.5, self.samples


def walking(
    step: float, privacy: Privacy, samples: int = 10, listener: Listener = NULL_LISTENER
) -> Training:
    """Return what answers an aggregator for such a model."""
    model = UserModel(WalkingModel(step, samples), Path.cwd())
    return Training(model, listener, privacy=privacy)


class WalkingLearner:
    """A learner as the service has it, asked in memory."""

    def __init__(self, step: float, privacy: Privacy) -> None:
        self._app = walking(step, privacy).client_app()

    def answer(self, message: Message) -> Message | None:
        return run_app(self._app, message)
