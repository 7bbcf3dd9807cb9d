"""Train the repository's model on all data in one place, for comparison.

This program runs in the learner's environment and uses no package of this distribution:
``pooled_program.py <inputs.json> <number of fits>`` prints JSON.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main(inputs_file: str, fits: int) -> None:
    """Fit on everything that ``load_dataset`` returns; print predictions for the inputs."""
    import numpy as np  # noqa: PLC0415 - only the learner's environment is sure to have it

    manager: Any = importlib.import_module("model_manager").ModelManager()
    manager.set_model_data()
    samples = [int(manager.fit_model()) for _ in range(fits)]
    inputs = np.asarray(json.loads(Path(inputs_file).read_text()), dtype=np.float64)
    predictions = np.asarray(manager.get_model().predict(inputs))
    result = {"samples": samples[-1], "predictions": [int(label) for label in predictions]}
    # The user's code may print, too: the last line counts.
    print("\n" + json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
