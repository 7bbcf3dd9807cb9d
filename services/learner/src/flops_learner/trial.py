"""Tries one round of a repository alone, to check its methods before anything is built.

``python -m flops_learner try`` prints a JSON array of findings as the last line of its output. Rows
come from the Parquet file ``FLOPS_DATASET_FILE``, else they are synthetic.
"""

import json
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from flops_contracts.errors import FlopsError
from flops_grid.messages.records import Parameters
from flops_grid.user_model import MODULE, UserModel, load_user_model

CHECK: Final = "methods"
CPU_SECONDS: Final = 300
FILE_BYTES: Final = 2**30
MEMORY_BYTES: Final = 32 * 2**30
"""Of address space, of which the libraries reserve far more than they use."""

OBJECTS: Final = {
    "pytorch": ("torch.nn.", "a torch.nn.Module"),
    "keras": ("keras.", "a Keras model"),
    "tensorflow": ("keras.", "a tf.keras model"),
}


@dataclass(frozen=True)
class Finding:
    """The result of a step; ``where`` is file and line."""

    is_ok: bool
    message: str
    hint: str = ""
    where: str = ""
    check: str = CHECK


class _WrongError(FlopsError):
    """A method does not do what the guide requires."""


def limit() -> None:
    """Limit the resources of the user's code, for the rest of this process."""
    for what, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, hard))


def findings(flavor: str = "", module: str = MODULE) -> list[Finding]:
    """Try everything that learner and aggregator call; what needs a failed step is left out."""
    results: list[Finding] = []
    try:
        results.extend(_steps(flavor, module))
    except FlopsError as error:
        results.append(Finding(False, error.reason, error.hint, error.where))
    return results


def as_json(results: list[Finding]) -> str:
    """Return the findings as one line of JSON."""
    return json.dumps([asdict(finding) for finding in results])


def _steps(flavor: str, module: str) -> Iterator[Finding]:
    initial = _some(load_user_model(module).parameters())
    model = load_user_model(module)
    model.load_data()
    before = _some(model.parameters())
    _same_shapes(initial, before, "set_model_data")
    yield Finding(True, f"{len(before)} arrays of parameters: {_shapes(before)}")
    _round_trip(model, before)
    yield Finding(True, "parameters that are set are those that are got")
    samples, seconds = _timed(lambda: model.fit({"server-round": 1}))
    after = model.parameters()
    _same_shapes(before, after, "fit_model")
    _finite(after)
    yield Finding(True, f"fit_model trained on {samples} samples in {seconds:.1f} s")
    measured = model.evaluate()
    yield Finding(
        True,
        f"evaluate_model: loss {measured.loss:.4g}, accuracy {measured.accuracy:.4g}, "
        f"{measured.samples} samples",
    )
    _of_flavor(model.model(), flavor)
    yield Finding(True, "get_model returns a model")


def _some(parameters: Parameters) -> list[np.ndarray]:
    arrays = [np.array(parameter, copy=True) for parameter in parameters]
    if not arrays:
        raise _WrongError(
            "get_model_parameters returns no arrays",
            "Make the model with parameters of their final shapes in ModelManager.__init__.",
        )
    return arrays


def _same_shapes(first: Parameters, second: Parameters, culprit: str) -> None:
    if [np.shape(item) for item in first] != [np.shape(item) for item in second]:
        raise _WrongError(
            f"the parameters have other shapes after {culprit}: {_shapes(second)}, not "
            f"{_shapes(first)}",
            "They must be the same for everybody from the start, also where data lack a class: an "
            "aggregator has no data.",
        )


def _round_trip(model: UserModel, before: list[np.ndarray]) -> None:
    others = [item * 0.5 + 0.25 if item.dtype.kind == "f" else item.copy() for item in before]
    model.set_parameters([other.copy() for other in others])
    returned = model.parameters()
    if len(returned) != len(others):
        raise _WrongError(
            f"get_model_parameters returns {len(returned)} arrays after set_model_parameters got "
            f"{len(others)}",
            "Set and get the same arrays, in the same order.",
        )
    for position, (given, got) in enumerate(zip(others, returned, strict=True)):
        if not np.array_equal(given, got, equal_nan=given.dtype.kind in "fc"):
            raise _WrongError(
                f"array {position} that set_model_parameters got is not what "
                "get_model_parameters returns",
                "Set and get the same arrays, in the same order.",
            )
    model.set_parameters([item.copy() for item in before])


def _finite(parameters: Parameters) -> None:
    if any(
        parameter.dtype.kind in "fc" and not np.isfinite(parameter).all()
        for parameter in parameters
    ):
        raise _WrongError(
            "after fit_model there are parameters that are infinite or not a number",
            "Lower the learning rate, or scale the input.",
        )


def _of_flavor(model: Any, flavor: str) -> None:
    if model is None:
        raise _WrongError("get_model returned None", "Return the library's own model object.")
    if flavor == "sklearn" and not callable(getattr(model, "predict", None)):
        raise _WrongError(
            f"get_model returned a {type(model).__name__}, which has no method predict",
            "Return a scikit-learn estimator or pipeline.",
        )
    prefix, name = OBJECTS.get(flavor, ("", ""))
    modules = [kind.__module__ + "." for kind in type(model).__mro__]
    if not any(module.startswith(prefix) for module in modules):
        raise _WrongError(
            f"get_model returned a {type(model).__name__}, but the flavor {flavor} needs {name}",
            "Return the library's own model object, or ask for another ml_model_flavor.",
        )


def _timed(work: Callable[[], int]) -> tuple[int, float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


def _shapes(parameters: Parameters) -> str:
    shown = [
        " x ".join(map(str, np.shape(parameter))) or "a number" for parameter in parameters[:4]
    ]
    return ", ".join(shown) + (", ..." if len(parameters) > len(shown) else "")
