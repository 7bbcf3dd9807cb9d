"""A whole training: from the first parameters to the best model."""

import logging
from collections.abc import Callable

import numpy as np

from flops_aggregator.errors import ModelUnusableError, TooFewLearnersError
from flops_aggregator.place import Place
from flops_aggregator.settings import TrainingSettings
from flops_aggregator.strategies import build_strategy, train_config
from flops_aggregator.supervision import RoundWatch, SupervisedStrategy
from flops_aggregator.tracking import BestModel
from flops_grid.errors import UserCodeError
from flops_grid.records import Parameters, arrays_from_parameters, parameters_from_arrays
from flops_grid.server import StreamGrid
from flops_grid.user_model import UserModel

logger = logging.getLogger(__name__)


def train(
    training: TrainingSettings,
    model: UserModel,
    grid: StreamGrid,
    watch: RoundWatch,
    place: Place,
    progress: Callable[[str], None],
) -> BestModel:
    """Run all rounds over ``grid``; return the best one's model. Raises ``FlopsError``."""
    strategy = SupervisedStrategy(build_strategy(training), training, grid, watch, place)
    first = _first_parameters(model)
    progress("waiting for learners")
    gather(training, grid)
    strategy.start(
        grid=grid,
        initial_arrays=arrays_from_parameters(first),
        num_rounds=training.rounds,
        timeout=training.round_timeout_seconds,
        train_config=train_config(training),
    )
    best = strategy.best
    if best is None:
        raise ModelUnusableError(
            "no round had an accuracy or a loss that is a number",
            hint="Look at what evaluate_model returns, and at the learning rate.",
        )
    model.set_parameters(parameters_from_arrays(best.arrays))
    return BestModel(model.model(), best.round, training.rounds, best.loss, best.accuracy)


def gather(training: TrainingSettings, grid: StreamGrid) -> None:
    """Wait for the minimum of learners, then shortly for all; raise ``TooFewLearnersError``."""
    timeout = training.join_timeout_seconds
    needed = max(training.min_available, training.min_fit, training.min_evaluate)
    names = grid.wait_for_learners(needed, timeout)
    if len(names) < needed:
        raise TooFewLearnersError(
            f"{len(names)} of at least {needed} learners joined within {timeout:g} s: "
            f"{', '.join(names) or 'nobody'}",
            hint="See the state and the logs of the learners that are missing.",
        )
    names = grid.wait_for_learners(training.learners, training.settle_seconds)
    logger.info("%d of %d learners are there: %s", len(names), training.learners, ", ".join(names))


def _first_parameters(model: UserModel) -> Parameters:
    parameters = model.parameters()
    if not parameters:
        raise UserCodeError(
            "get_model_parameters returned no arrays for a new ModelManager",
            hint="The aggregator has no data: initial parameters must not depend on any.",
        )
    if not all(np.isfinite(array).all() for array in parameters):
        raise UserCodeError("the first parameters of the model hold values that are no numbers")
    return parameters
