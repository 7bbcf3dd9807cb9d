"""The metrics of a model server."""

from typing import Final

from prometheus_client import Counter, Histogram

from flops_runtime.asgi import Scope

INVOCATIONS: Final = "/invocations"

PREDICTIONS: Final = Counter(
    "flops_model_predictions",
    "Requests for predictions by outcome: ok, refused (4xx) or failed (5xx).",
    ["outcome"],
)
PREDICTION_SECONDS: Final = Histogram(
    "flops_model_prediction_seconds", "Time to answer a request for predictions."
)


def trace_predictions(scope: Scope) -> str:
    """Return the name of a request's span; empty unless it is for predictions."""
    return "predict" if scope["path"] == INVOCATIONS else ""


def count_prediction(scope: Scope, status: int, seconds: float) -> None:
    """Count a request for predictions; ignore others."""
    if scope["path"] != INVOCATIONS:
        return
    outcome = "ok" if status < 400 else "refused" if status < 500 else "failed"
    PREDICTIONS.labels(outcome).inc()
    PREDICTION_SECONDS.observe(seconds)
