"""What aggregator and learners call the things in a message, and how parameters get in and out."""

from typing import Any, Final

import numpy as np
from flwr.app import ArrayRecord
from numpy.typing import NDArray

ARRAYS: Final = "arrays"
CONFIG: Final = "config"
METRICS: Final = "metrics"

SAMPLES: Final = "num-examples"
LOSS: Final = "loss"
ACCURACY: Final = "accuracy"
TRAIN_LOSS: Final = "train_loss"
FIT_SECONDS: Final = "fit-seconds"
EVALUATE_SECONDS: Final = "evaluate-seconds"

WANTS_TRAIN_LOSS: Final = "wants-train-loss"
"""Key of the training config: report the loss of the parameters as they came (q-FedAvg)."""

INTERNAL: Final = "flops."
"""How those keys of a config begin that are meant for aggregators, not for the user's code."""

EXCHANGE: Final = f"{INTERNAL}exchange"
"""Which exchange with its clients the sender is at, from 1; to an aggregator it is the cycle."""

RUN: Final = f"{INTERNAL}run"
"""The sender's run in MLflow, for those of its clients to be nested in; empty if not known yet."""

Parameters = list[NDArray[Any]]


def arrays_from_parameters(parameters: Parameters) -> ArrayRecord:
    """Return parameters of any numeric type and shape as a record, in order."""
    return ArrayRecord([np.asarray(one) for one in parameters])


def parameters_from_arrays(arrays: ArrayRecord) -> Parameters:
    """Return the arrays in order; each is a copy of its own and may be written to."""
    return [array.numpy() for array in arrays.values()]
