"""A whole training: from the first parameters to the best model."""

import logging
from collections.abc import Callable

import numpy as np
from flwr.app import ArrayRecord

from flops_aggregator.checkpoints.best_model import BestModel
from flops_aggregator.checkpoints.files import CheckpointBook, Memory
from flops_aggregator.checkpoints.strategy_state import restore_state, set_random_state
from flops_aggregator.errors import ModelUnusableError, TooFewLearnersError
from flops_aggregator.privacy.promises import build_protection
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.progress import RoundWatch
from flops_aggregator.rounds.strategies import build_strategy, train_config
from flops_aggregator.rounds.supervision import SupervisedStrategy
from flops_contracts.orders import TrainOrder
from flops_grid.errors import BudgetSpentError, UserCodeError
from flops_grid.messages.records import Parameters, arrays_from_parameters, parameters_from_arrays
from flops_grid.server.grid import StreamGrid
from flops_grid.user_model import UserModel

logger = logging.getLogger(__name__)


def train(
    training: TrainOrder,
    model: UserModel,
    grid: StreamGrid,
    watch: RoundWatch,
    place: Place,
    book: CheckpointBook,
    progress: Callable[[str], None],
) -> BestModel:
    """Run the remaining rounds over ``grid``; return the model of the best round.

    Raises ``FlopsError``. ``progress`` is called with what is being done.
    """
    first = arrays_from_parameters(_first_parameters(model))
    # The tracking server opens the run while learners still join.
    if (since := book.latest_checkpoint()) and not _is_like(since.arrays, first):
        progress("the checkpoint is of another model: starting from round 1")
        since = None
    inner = build_strategy(training)
    protection = build_protection(training, book)
    if since:
        restore_state(inner, training.strategy.name, since.strategy)
        protection.restore(since.strategy)
        progress(f"continuing after round {since.round}")
    strategy = SupervisedStrategy(
        inner,
        training,
        grid,
        watch,
        place,
        memory=Memory(since, book.save_soon),
        protection=protection,
    )
    if not since or since.round < training.rounds:
        progress("waiting for learners")
        gather(training, grid)
        if since:
            set_random_state(since.random)
        try:
            strategy.run(grid, since.arrays if since else first, train_config(training))
        except BudgetSpentError as error:
            if strategy.best is None:
                raise
            watch.noticed(f"The training ends here: {error}.")
    best = strategy.best
    if best is None:
        raise ModelUnusableError(
            "every round reported NaN or infinite accuracy and loss",
            hint="Check what evaluate_model returns, and the learning rate.",
        )
    model.set_parameters(parameters_from_arrays(best.arrays))
    return BestModel(model.model(), best.round, training.rounds, best.loss, best.accuracy)


def gather(training: TrainOrder, grid: StreamGrid) -> None:
    """Wait for the minimum of learners, then briefly for all; raise ``TooFewLearnersError``."""
    timeout = training.join_timeout_seconds
    needed = max(training.min_available, training.min_fit, training.min_evaluate)
    names = grid.wait_for_learners(needed, timeout)
    if len(names) < needed:
        raise TooFewLearnersError(
            f"{len(names)} of at least {needed} learners joined within {timeout:g} s: "
            f"{', '.join(names) or 'nobody'}",
            hint="See the status and the logs of the missing learners.",
        )
    names = grid.wait_for_learners(training.clients, training.settle_seconds)
    logger.info("%d of %d learners joined: %s", len(names), training.clients, ", ".join(names))


def _is_like(*records: ArrayRecord) -> bool:
    first, second = (
        [(key, array.dtype, tuple(array.shape)) for key, array in record.items()]
        for record in records
    )
    return first == second


def _first_parameters(model: UserModel) -> Parameters:
    parameters = model.parameters()
    if not parameters:
        raise UserCodeError(
            "get_model_parameters returned no arrays for a new ModelManager",
            hint="The aggregator has no data: initial parameters must not depend on any.",
        )
    if not all(np.isfinite(array).all() for array in parameters):
        raise UserCodeError("the first parameters of the model contain NaN or infinity")
    return parameters
