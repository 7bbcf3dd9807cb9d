"""The metrics of a data server."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from flops_ml_data_server.transfers.memory import Memory


class Metrics:
    """The counters and gauges of one data server."""

    def __init__(
        self, registry: CollectorRegistry, memory: Memory, free_bytes: Callable[[], float]
    ) -> None:
        self.uploads = Counter(
            "flops_data_uploads", "Uploads by outcome.", ["outcome"], registry=registry
        )
        self.downloads = Counter("flops_data_downloads", "Started downloads.", registry=registry)
        self.claims = Counter("flops_data_claims", "Shares given to learners.", registry=registry)
        self.rejected = Counter(
            "flops_data_rejected",
            "Refused Flight calls by type of error.",
            ["error"],
            registry=registry,
        )
        self.received_bytes = Counter(
            "flops_data_received_bytes", "Arrow bytes of all batches received.", registry=registry
        )
        self.sent_bytes = Counter(
            "flops_data_sent_bytes", "Arrow bytes of all batches sent.", registry=registry
        )
        self.held_bytes = Gauge(
            "flops_data_held_bytes", "Arrow bytes not yet written.", registry=registry
        )
        self.transfers = Gauge(
            "flops_data_transfers", "Uploads and downloads under way.", registry=registry
        )
        self.free_bytes = Gauge(
            "flops_data_free_bytes", "Free space of the volume.", registry=registry
        )
        self.held_bytes.set_function(lambda: memory.held_bytes)
        self.transfers.set_function(lambda: memory.transfers)
        self.free_bytes.set_function(free_bytes)
