"""The cost of checkpoints: a training with and without them, MLflow on SQLite and a folder.

``make bench-checkpoints`` runs it. Two learners answer in memory, over the wire's encoding.
"""

import contextlib
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from flops_aggregator.checkpoints.files import NO_MEMORY, Checkpoint, Memory
from flops_aggregator.settings import TrackingSettings
from flops_aggregator.tracking.mlflow_tracking import MlflowTracking
from flops_aggregator.tracking.run_finder import PROJECT_TAG, ROOT_TAG
from flops_contracts.sla import Flavor
from flops_grid.messages.flower_internals import take_identity
from support.federation import Learner, run

SIZES = {"31 kB": 7_850, "100 MB": 25_000_000}
ROUNDS = 6


def a_tracking(folder: Path) -> MlflowTracking:
    """Return one whose run is open."""
    url = f"sqlite:///{folder}/mlflow.db"
    settings = TrackingSettings(url, folder.name, "model", Flavor.SKLEARN, "", "")
    tracking = MlflowTracking(settings)
    tracking.start("bench", {}, {PROJECT_TAG: "bench", ROOT_TAG: "yes"})
    tracking.published()
    return tracking


def round_seconds(floats: int, memory: Memory) -> float:
    """Return the median time of a round but for the first, seen from outside."""
    at: list[float] = []

    def keep(checkpoint: Checkpoint) -> None:
        memory.keep(checkpoint)
        at.append(time.monotonic())

    learners = {"a": Learner(), "b": Learner()}
    run(learners, [np.zeros(floats, np.float32)], Memory(keep=keep), rounds=ROUNDS)
    return statistics.median(end - begin for begin, end in pairwise(at))


def main() -> None:
    """Print a row for each size."""
    take_identity()
    for name, floats in SIZES.items():
        # MLflow puts artifacts below the working directory when there is no server to take them.
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            tracking = a_tracking(Path(folder))
            without = round_seconds(floats, NO_MEMORY)
            with_them = round_seconds(floats, Memory(keep=tracking.save_soon))
            began = time.monotonic()
            tracking.finish()
            print(  # noqa: T201 - the answer of this command
                f"{name}: a round {without * 1e3:.1f} ms without, {with_them * 1e3:.1f} ms with "
                f"checkpoints; {time.monotonic() - began:.2f} s until the last one was stored"
            )
            tracking.close()


if __name__ == "__main__":
    main()
