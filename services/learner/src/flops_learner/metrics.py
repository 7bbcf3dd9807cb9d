"""The learner's Prometheus metrics."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from flops_runtime.metrics import WORK_SECONDS

FIT: Final = Histogram(
    "flops_learner_fit_seconds", "Time of a training pass.", buckets=WORK_SECONDS
)
EVALUATE: Final = Histogram(
    "flops_learner_evaluate_seconds", "Time of an evaluation.", buckets=WORK_SECONDS
)
SAMPLES: Final = Counter("flops_learner_trained_samples", "Samples of all training passes.")
ERRORS: Final = Counter("flops_learner_errors", "Exceptions of the user's code, by task.", ["task"])
ROWS: Final = Gauge("flops_learner_rows", "Rows of the learner's share of the data.")
