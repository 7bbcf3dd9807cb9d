"""What the models of some libraries need beyond what MLflow does for them."""

import re
from pathlib import Path
from typing import Any

import numpy as np

_KERAS_BACKEND = re.compile(r"^\s+keras_backend:\s*['\"]?(\w+)", re.MULTILINE)


def keras_backend(model_path: Path) -> str:
    """Return the backend that a Keras model was trained with; empty for any other model."""
    file = model_path / "MLmodel"
    found = _KERAS_BACKEND.search(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found[1] if found else ""


class TorchModel:
    """A PyTorch model for MLflow's server: floats of requests arrive as PyTorch has them.

    JSON's numbers become float64, which no layer of float32 takes, and a signature that would
    convert them needs the shape of the input, which a module does not tell.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.metadata = model.metadata

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict; see ``PyFuncModel.predict``."""
        if isinstance(data, np.ndarray) and data.dtype == np.float64:
            data = data.astype(np.float32)
        return self._model.predict(data, params=params)
