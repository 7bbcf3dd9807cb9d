"""local-oakestra's Prometheus metrics."""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge

from flops_local_oakestra.domain.statuses import Status


class RootMetrics:
    """The metrics of a root; ``count`` returns how many instances have a status now."""

    def __init__(self, count: Callable[[Status], int]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "flops_root_requests",
            "Requests to the root's API.",
            ["method", "status"],
            registry=self.registry,
        )
        self.instances = Gauge(
            "flops_root_instances",
            "Instances that the root lists, by status.",
            ["status"],
            registry=self.registry,
        )
        for status in Status:
            self.instances.labels(str(status)).set_function(partial(count, status))
