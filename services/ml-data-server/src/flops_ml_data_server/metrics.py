"""What /metrics says beyond the process itself."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter


class Metrics:
    """Counters of one data server."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.uploads = Counter(
            "flops_data_uploads", "Uploads by how they ended.", ["outcome"], registry=registry
        )
        self.downloads = Counter(
            "flops_data_downloads", "Downloads that were begun.", registry=registry
        )
        self.received_bytes = Counter(
            "flops_data_received_bytes", "Arrow bytes of all batches received.", registry=registry
        )
        self.sent_bytes = Counter(
            "flops_data_sent_bytes", "Arrow bytes of all batches sent.", registry=registry
        )
