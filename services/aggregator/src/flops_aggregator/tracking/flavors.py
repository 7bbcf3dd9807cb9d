"""How the model of each ML library is logged to MLflow.

The requirements are pinned here from what is installed: left to itself, mlflow finds them out by
running the model in a process of its own, for 4 to 20 seconds.
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from flops_contracts.sla import Flavor


@dataclass(frozen=True)
class Logger:
    """The mlflow module of a flavor, what its ``log_model`` is told, and what the model needs."""

    module: str
    distributions: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)


TENSORFLOW: Final = ("tensorflow", "tensorflow-cpu")
"""One of the two is installed."""

# Formats that any environment with the same pins loads: sklearn's default, skops, wants a list
# of trusted types, and torch's default wants an input example, which an aggregator has not.
LOGGERS: Final[Mapping[Flavor, Logger]] = {
    Flavor.SKLEARN: Logger(
        "mlflow.sklearn",
        ("scikit-learn", "numpy", "scipy", "pandas", "cloudpickle"),
        {"serialization_format": "cloudpickle"},
    ),
    Flavor.PYTORCH: Logger(
        "mlflow.pytorch",
        ("torch", "torchvision", "numpy", "pandas", "cloudpickle"),
        {"serialization_format": "pickle"},
    ),
    Flavor.TENSORFLOW: Logger("mlflow.tensorflow", (*TENSORFLOW, "keras", "numpy", "pandas")),
    # mlflow.tensorflow would log Keras models as well, but needs TensorFlow beside their backend.
    Flavor.KERAS: Logger(
        "mlflow.keras", ("keras", *TENSORFLOW, "torch", "jax", "jaxlib", "numpy", "pandas")
    ),
}


def log_model(flavor: Flavor, model: Any, *, step: int, registered_name: str) -> Any:
    """Log ``model`` to the active run and register it; return mlflow's ``ModelInfo``.

    There is no signature but for Keras: sklearn's estimators take any numeric input, which
    mlflow would refuse unless it has exactly the type of a signature.
    """
    logger = LOGGERS[flavor]
    module: Any = importlib.import_module(logger.module)
    return module.log_model(
        model,
        name="model",
        step=step,
        registered_model_name=registered_name,
        pip_requirements=pinned(logger.distributions),
        signature=_signature(model),
        **logger.arguments,
    )


def pinned(distributions: Iterable[str]) -> list[str]:
    """Return requirements on exactly what is installed here of ``distributions``.

    A build's own part of the version (``2.13.0+cpu``) is left out: the package index has no such
    version, so the requirements would install nowhere. FLOps' image of the model is built with
    the lock of its aggregator, which has the whole version.
    """
    found = []
    for name in distributions:
        try:
            found.append(f"{name}=={metadata.version(name).partition('+')[0]}")
        except metadata.PackageNotFoundError:
            continue
    return found


def _signature(model: Any) -> Any:
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(n, int | None) for n in shape):
        return None
    numpy: Any = importlib.import_module("numpy")
    types: Any = importlib.import_module("mlflow.types")
    models: Any = importlib.import_module("mlflow.models")
    dimensions = tuple(-1 if n is None else n for n in shape)
    spec = types.TensorSpec(numpy.dtype("float32"), dimensions)
    return models.ModelSignature(inputs=types.Schema([spec]))
