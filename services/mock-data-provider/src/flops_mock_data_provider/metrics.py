"""The metrics of a mock data provider."""

from typing import Final

from prometheus_client import Counter, Histogram

from flops_runtime.metrics import WORK_SECONDS

LOAD_SECONDS: Final = Histogram(
    "flops_mock_load_seconds", "Time to load the dataset.", buckets=WORK_SECONDS
)
SEND_SECONDS: Final = Histogram(
    "flops_mock_send_seconds", "Time to send a partition.", buckets=WORK_SECONDS
)
SENT_ROWS: Final = Counter("flops_mock_sent_rows", "Rows of the sent partitions.")
EMPTY: Final = Counter("flops_mock_empty_partitions", "Partitions without rows.")
