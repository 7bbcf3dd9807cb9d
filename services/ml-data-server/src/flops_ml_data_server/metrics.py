"""What /metrics says beyond the process itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from flops_ml_data_server.memory import Memory


class Metrics:
    """Counters of one data server."""

    def __init__(self, registry: CollectorRegistry, memory: Memory) -> None:
        self.uploads = Counter(
            "flops_data_uploads", "Uploads by how they ended.", ["outcome"], registry=registry
        )
        self.downloads = Counter(
            "flops_data_downloads", "Downloads that were begun.", registry=registry
        )
        self.received_bytes = Counter(
            "flops_data_received_bytes", "Arrow bytes of all batches received.", registry=registry
        )
        held = Gauge("flops_data_held_bytes", "Arrow bytes not yet written.", registry=registry)
        held.set_function(lambda: memory.held_bytes)
        self.sent_bytes = Counter(
            "flops_data_sent_bytes", "Arrow bytes of all batches sent.", registry=registry
        )
