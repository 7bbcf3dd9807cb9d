"""The aggregator's Prometheus metrics."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from flops_grid.server.traffic import Moved
from flops_runtime.metrics import WORK_SECONDS

ROUNDS: Final = Counter("flops_aggregator_rounds", "Completed rounds, or cycles of a root.")
ROUND_SECONDS: Final = Histogram(
    "flops_aggregator_round_seconds",
    "Time of a round, or of a root's cycle.",
    buckets=WORK_SECONDS,
)
CLIENTS: Final = Gauge("flops_aggregator_clients", "Connected learners or aggregators of clusters.")
EXPECTED: Final = Gauge(
    "flops_aggregator_expected_clients", "Learners or aggregators of clusters that were started."
)
REPLIES: Final = Counter(
    "flops_aggregator_replies",
    "Replies of clients: good, failed (an error, or unusable), late (none in time) or spare "
    "(not needed).",
    ["outcome"],
)
SENT: Final = Counter("flops_aggregator_sent_bytes", "Bytes of frames sent to clients.")
RECEIVED: Final = Counter("flops_aggregator_received_bytes", "Bytes of frames from clients.")
CHECKPOINT_SECONDS: Final = Histogram(
    "flops_aggregator_checkpoint_seconds",
    "Time to write a checkpoint and store it.",
    buckets=WORK_SECONDS,
)
CHECKPOINT_ERRORS: Final = Counter(
    "flops_aggregator_checkpoint_errors", "Checkpoints that could not be stored."
)
TRACKING_BACKLOG: Final = Gauge(
    "flops_aggregator_tracking_backlog_rounds", "Rounds that are not in MLflow yet."
)


def count_traffic(moved: Moved) -> None:
    """Count the bytes of a frame."""
    SENT.inc(moved.down)
    RECEIVED.inc(moved.up)
