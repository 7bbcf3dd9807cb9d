"""Special treatment of models of some libraries, beyond that of MLflow."""

import re
from pathlib import Path
from typing import Any

import numpy as np

_KERAS_BACKEND = re.compile(r"^\s+keras_backend:\s*['\"]?(\w+)", re.MULTILINE)


def keras_backend(model_path: Path) -> str:
    """Return the backend that a Keras model was trained with; empty for any other model."""
    file = model_path / "MLmodel"
    match = _KERAS_BACKEND.search(file.read_text(encoding="utf-8")) if file.is_file() else None
    return match[1] if match else ""


class TorchModel:
    """A PyTorch model for MLflow's server that converts floats of requests to float32.

    JSON numbers become float64, which float32 layers do not accept. A signature would convert
    them, but needs the shape of the input, which a module does not have.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.metadata = model.metadata

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict; see ``PyFuncModel.predict``."""
        if isinstance(data, np.ndarray) and data.dtype == np.float64:
            data = data.astype(np.float32)
        return self._model.predict(data, params=params)
