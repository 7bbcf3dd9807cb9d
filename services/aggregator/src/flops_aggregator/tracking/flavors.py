"""Logs the model of each ML library to MLflow.

The requirements are pinned here to the installed versions: mlflow itself would find them by running
the model in another process, for 4 to 20 seconds.
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from flops_contracts.sla import Flavor


@dataclass(frozen=True)
class Logger:
    """The mlflow module of a flavor, the arguments of its ``log_model``, and what models need."""

    module: str
    distributions: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)


TENSORFLOW: Final = ("tensorflow", "tensorflow-cpu")
"""One of the two is installed."""

# Formats that any environment with the same pins loads: sklearn's default, skops, needs a list
# of trusted types, and torch's default needs an input example, which an aggregator does not have.
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

    Only Keras models get a signature: sklearn's estimators take any numeric input, but mlflow
    refuses input that does not have exactly the types of the signature.
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
    """Return requirements on the installed versions of those ``distributions`` that are installed.

    The local part of a version (``2.13.0+cpu``) is left out, because the package index does not
    have it. FLOps builds a model's image with the lock of its aggregator, which has the whole
    version.
    """
    pins = []
    for name in distributions:
        try:
            pins.append(f"{name}=={metadata.version(name).partition('+')[0]}")
        except metadata.PackageNotFoundError:
            continue
    return pins


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
