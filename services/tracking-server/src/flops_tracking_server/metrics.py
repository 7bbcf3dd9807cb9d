"""The tracking server's metrics, at /metrics of its status port."""

from typing import Final

from prometheus_client import Counter, Histogram

from flops_runtime.asgi import Scope

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})

REQUESTS: Final = Counter(
    "flops_tracking_requests", "Requests that MLflow answered.", ["method", "status"]
)
REQUEST_SECONDS: Final = Histogram(
    "flops_tracking_request_seconds", "Time to answer a request.", ["method"]
)


def count_request(scope: Scope, status: int, seconds: float) -> None:
    """Count a request; an unknown method is counted as "other"."""
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.labels(method, str(status)).inc()
    REQUEST_SECONDS.labels(method).observe(seconds)
