"""Calls the ``ModelManager`` of a user's repository, and turns its mistakes into errors.

Learners train the model; the aggregator takes the first parameters from it and sets the best ones.
What it raises or returns wrongly becomes a ``UserCodeError`` with file and line; errors of FLOps
that pass through it stay unchanged.
"""

import importlib
import importlib.util
import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Final

import numpy as np

from flops_contracts.errors import FlopsError
from flops_grid.errors import UserCodeError
from flops_grid.messages.records import Parameters

MODULE: Final = "model_manager"
CLASS: Final = "ModelManager"
NUMERIC_KINDS: Final = "biufc"


@dataclass(frozen=True)
class Evaluation:
    """The result of ``evaluate_model``; a metric may be NaN."""

    loss: float
    accuracy: float
    samples: int


def load_user_model(module_name: str = MODULE) -> "UserModel":
    """Import the user's module and create a ``ModelManager``; raise ``UserCodeError``."""
    spec = importlib.util.find_spec(module_name)
    if spec is None or spec.origin is None:
        raise UserCodeError(
            f"there is no module {module_name} to import",
            hint=f"The repository needs {module_name}.py at its root.",
        )
    folder = Path(spec.origin).parent
    module = _call(folder, f"importing {module_name}", importlib.import_module, module_name)
    factory = getattr(module, CLASS, None)
    if not callable(factory):
        where = f"{module_name}.py"
        raise UserCodeError(f"{where} has no class {CLASS}", where=where)
    return UserModel(_call(folder, f"{CLASS}()", factory), folder)


class UserModel:
    """A user's ``ModelManager``; ``folder`` contains the user's code."""

    def __init__(self, manager: Any, folder: Path) -> None:
        self._manager = manager
        self._folder = folder

    def load_data(self) -> None:
        """Load the data by ``set_model_data``."""
        self._run("set_model_data")

    def model(self) -> Any:
        """Return the library's own model object."""
        return self._run("get_model")

    def parameters(self) -> Parameters:
        """Return the model's parameters as arrays; scalars become arrays without dimensions."""
        returned = self._run("get_model_parameters")
        if not isinstance(returned, list | tuple):
            raise self._wrong("get_model_parameters", "a list of arrays", returned)
        name = "get_model_parameters"
        arrays = [_call(self._folder, name, np.asarray, array) for array in returned]
        for position, array in enumerate(arrays):
            if array.dtype.kind not in NUMERIC_KINDS:
                what = f"numbers only, but item {position} has the type {array.dtype}"
                raise self._wrong("get_model_parameters", what, returned)
        return arrays

    def set_parameters(self, parameters: Parameters) -> None:
        """Give the model these parameters."""
        self._run("set_model_parameters", parameters)

    def fit(self, config: Mapping[str, Any]) -> int:
        """Train; return the number of samples. ``config`` is for a ``fit_model`` that takes it."""
        extra = {"config": dict(config)} if self.takes_config else {}
        samples = self._run("fit_model", **extra)
        if not _is_count(samples) or samples < 1:
            raise self._wrong("fit_model", "the number of training samples, at least 1", samples)
        return int(samples)

    def evaluate(self) -> Evaluation:
        """Evaluate on the local test data."""
        returned = self._run("evaluate_model")
        expected = "loss, accuracy and the number of samples (at least 1)"
        if not isinstance(returned, tuple | list) or len(returned) != 3:
            raise self._wrong("evaluate_model", expected, returned)
        loss, accuracy, samples = returned
        if not _is_count(samples) or samples < 1:
            raise self._wrong("evaluate_model", expected, returned)
        loss_number, accuracy_number = _number(loss), _number(accuracy)
        if loss_number is None or accuracy_number is None:
            raise self._wrong("evaluate_model", expected, returned)
        return Evaluation(loss_number, accuracy_number, int(samples))

    def _run(self, name: str, *arguments: Any, **named: Any) -> Any:
        method = getattr(self._manager, name, None)
        if not callable(method):
            where = self._place_of(type(self._manager))
            raise UserCodeError(f"{CLASS} has no method {name}", where=where)
        return _call(self._folder, name, method, *arguments, **named)

    @property
    def takes_config(self) -> bool:
        """Return whether ``fit_model`` has a parameter ``config``."""
        try:
            return "config" in inspect.signature(self._manager.fit_model).parameters
        except (AttributeError, TypeError, ValueError):
            return False

    def _wrong(self, name: str, expected: str, returned: Any) -> UserCodeError:
        kind = type(returned).__name__
        shown = repr(returned) if isinstance(returned, Real | str | None) else f"a {kind}"
        if isinstance(returned, tuple | list) and len(returned) <= 5:
            shown = f"({', '.join(type(value).__name__ for value in returned)})"
        return UserCodeError(
            f"{name} must return {expected}; it returned {shown[:200]}",
            where=self._place_of(getattr(self._manager, name)),
        )

    def _place_of(self, code: Any) -> str:
        try:
            file, line = inspect.getsourcefile(code), inspect.getsourcelines(code)[1]
        except (TypeError, OSError):
            return ""
        return f"{_short(self._folder, file or '')}:{line}"


def _call(folder: Path, what: str, code: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Run user code; ``SystemExit`` counts as one of its errors."""
    try:
        return code(*args, **named)
    except FlopsError:
        raise
    except (Exception, SystemExit) as error:
        message = f"{what} raised {type(error).__name__}: {error}"[:2000]
        raise UserCodeError(message, where=place_of(error, folder)) from error


def place_of(error: BaseException, folder: Path) -> str:
    """Return file and line of the innermost frame below ``folder``, else of the innermost one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(folder, error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    # An environment may be inside the repository; packages in it are not the user's code.
    own = [frame for frame in own if "site-packages" not in frame.filename] or list(frames)
    return f"{_short(folder, own[-1].filename)}:{own[-1].lineno}" if own else ""


def _short(folder: Path, file: str) -> str:
    path = Path(file)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    """Return a metric as a float: a number, or an array or tensor that holds one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
