"""The work of a mock data provider: load, split, send."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flops_contracts.events import DataProvided, Fragment, Kind
from flops_contracts.sla import MockDataConfiguration
from flops_flight.client import BATCH_BYTES, DataServer
from flops_flight.messages import Identity
from flops_mock_data_provider import partitions, sources
from flops_mock_data_provider.errors import UnsplittableError
from flops_mock_data_provider.metrics import EMPTY, LOAD_SECONDS, SEND_SECONDS, SENT_ROWS
from flops_mock_data_provider.settings import Loading, Settings, SplitSettings
from flops_runtime import tracing

if TYPE_CHECKING:
    from datasets import Dataset

REACH_SECONDS: Final = 60.0
MAX_BATCH_ROWS: Final = 10_000
MAX_LABELS: Final = 1000
"""A column with more values is a measurement, and would make endless reports."""


class Reports(Protocol):
    """Reports to the user, such as ``flops_runtime.reporting.Reporter``."""

    def progress(
        self, message: str, done: float = 0, total: float | None = None, unit: str = ""
    ) -> None:
        """Report the progress of a long step."""

    def notice(self, message: str) -> None:
        """Report something useful to know that is not a failure."""


def provide(settings: Settings, reports: Reports) -> tuple[Kind, DataProvided]:
    """Send every partition to the data server; return the result to report."""
    request = settings.order.request
    with DataServer(
        settings.data_server_address,
        settings.data_server.token,
        ca=settings.data_server.ca,
        identity=Identity(trace=tracing.current()),
    ) as server:
        server.wait_until_reachable(REACH_SECONDS)
        reports.progress(f"loading {request.source or request.dataset_name}")
        parts = _parts(request, settings.loading)
        if parts.count != request.number_of_partitions:
            name = request.partitioner.name
            reports.notice(f"{name} splits these data into {parts.count} partitions")
        own = parts.of_node(settings.order.node_index, request.nodes)
        fragments = []
        empty = []
        for done, number in enumerate(own, start=1):
            part = parts.load(number)
            if part.num_rows:
                fragment = _send(server, request.data_tag, part)
                fragments.append(replace(fragment, partition=number, node=_node(settings)))
            else:
                EMPTY.inc()
                empty.append(str(number))
            reports.progress("sending partitions", done, len(own), "partitions")
    if empty and fragments:
        reports.notice(
            f"{len(empty)} of {len(own)} partitions are empty and were left out: {', '.join(empty)}"
        )
    if own and not fragments:
        raise UnsplittableError("every partition is empty")
    if not own:
        reports.notice(f"there are {parts.count} partitions, but none for this node")
    return Kind.DATA_PROVIDED, DataProvided(request.data_tag, tuple(fragments))


def write_parts(settings: SplitSettings, folder: Path) -> list[int]:
    """Write every partition to a Parquet file of ``folder``, in order; return their rows."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = _parts(settings.request, settings.loading)
    rows = []
    for number in range(parts.count):
        part = parts.load(number)
        schema = part.features.arrow_schema
        file = folder / f"partition-{number:06}.parquet"
        with pq.ParquetWriter(file, schema) as writer:
            for batch in _batches(part, schema, LabelCount("", ())):
                writer.write_batch(batch)
        rows.append(int(part.num_rows))
    return rows


def _parts(request: MockDataConfiguration, loading: Loading) -> partitions.Partitions:
    with tracing.span("load the dataset"), LOAD_SECONDS.time():
        dataset = sources.load(request, loading.builtin_datasets, loading.timeout_seconds)
    return partitions.split(
        dataset, request.partitioner, request.number_of_partitions, request.seed
    )


def _node(settings: Settings) -> str:
    actor = settings.actor.actor
    return f"{actor.cluster}/{actor.node}" if actor.node else ""


@dataclass
class LabelCount:
    """Counts rows per label as they are sent; counts nothing without a column of labels."""

    column: str
    names: tuple[str, ...]
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        """Count the rows of ``table``."""
        if not self.column:
            return
        for entry in pc.value_counts(table.column(self.column).combine_chunks()).to_pylist():
            self.counts[self._name(entry["values"])] += entry["counts"]
        if len(self.counts) > MAX_LABELS:
            self.column, self.counts = "", Counter()

    def _name(self, value: Any) -> str:
        is_named = isinstance(value, int) and 0 <= value < len(self.names)
        return self.names[value] if is_named else str(value)


def label_count(dataset: "Dataset") -> LabelCount:
    """Return a counter for the first column with named classes, else for a column ``label``."""
    for column, feature in dataset.features.items():
        names = getattr(feature, "names", None)
        if names:
            return LabelCount(column, tuple(names))
    kind = dataset.features.get("label")
    dtype = getattr(kind, "dtype", "")
    is_countable = dtype in {"string", "bool"} or dtype.startswith(("int", "uint"))
    return LabelCount("label" if is_countable else "", ())


def _send(server: DataServer, tag: str, part: "Dataset") -> Fragment:
    labels = label_count(part)
    schema = part.features.arrow_schema
    batches = _batches(part, schema, labels)
    with SEND_SECONDS.time():
        fragment = server.upload(tag, pa.RecordBatchReader.from_batches(schema, batches))
    SENT_ROWS.inc(fragment.rows)
    return replace(fragment, labels=dict(sorted(labels.counts.items())))


def _batches(part: "Dataset", schema: pa.Schema, labels: LabelCount) -> Iterator[pa.RecordBatch]:
    row_bytes = max(1, part.data.nbytes // max(1, part.data.num_rows))
    rows = max(1, min(MAX_BATCH_ROWS, BATCH_BYTES // row_bytes))
    for table in part.with_format("arrow").iter(rows):
        labels.add(table)
        yield from table.cast(schema).combine_chunks().to_batches()
