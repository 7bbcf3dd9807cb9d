"""Functions for ML repositories: ``load_dataset``."""

import logging
from hashlib import sha256
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from flops_flight.client import DataServer
from flops_flight.errors import NoDataError
from flops_flight.messages import Identity, Part, Share, encode
from flops_utils import data_source
from flops_utils.data_source import DataSource, FileSource, NoDataSourceError

if TYPE_CHECKING:
    import datasets

logger = logging.getLogger(__name__)


def load_dataset() -> "datasets.Dataset":
    """Return this learner's share of all data with the project's tags.

    It is a ``datasets.Dataset`` with the features of the source, in format ``arrow``. Raises
    ``NoDataError``, ``DataServerUnreachableError``, or ``NoDataSourceError`` outside of FLOps.
    """
    source = data_source.current()
    if isinstance(source, FileSource):
        return _from_file(source)
    with DataServer(
        source.server_address,
        source.token,
        ca=source.ca,
        identity=Identity(
            project_id=source.project_id, customer_id=source.customer_id, trace=source.trace()
        ),
    ) as server:
        server.wait_until_reachable(source.connect_timeout_seconds)
        share = _share(server, source)
        table = server.read_share(share, source.memory_bytes)
    dataset = _dataset(table, encode(share))
    logger.info("loaded %d rows, %d bytes", table.num_rows, table.nbytes)
    if source.on_loaded is not None:
        source.on_loaded(table.num_rows, table.nbytes, tuple(table.column_names))
    return dataset.with_format("arrow")


def _share(server: DataServer, source: DataSource) -> Share:
    if not source.shared:
        return server.claim(
            source.project_id, source.learner_index, source.node_learners, source.data_tags
        )
    fragments = server.list_fragments(source.data_tags)
    parts = tuple(Part(fragment.name, 0, fragment.rows) for fragment in fragments if fragment.rows)
    if not parts:
        stored_tags = sorted(tag.tag for tag in server.stats().tags)
        held = f"data with the tags: {', '.join(stored_tags)}" if stored_tags else "no data"
        raise NoDataError(
            f"this node holds no data for the requested tags: {', '.join(source.data_tags)}",
            hint=f"It holds {held}.",
        )
    return Share(parts)


def _from_file(source: FileSource) -> "datasets.Dataset":
    try:
        table = pq.read_table(source.path)
    except (OSError, pa.ArrowException) as error:
        raise NoDataSourceError(f"FLOPS_DATASET_FILE cannot be read: {error}") from error
    return _dataset(table, bytes(source.path)).with_format("arrow")


def _dataset(table: pa.Table, identity: bytes) -> "datasets.Dataset":
    # datasets costs a second to import; a ModelManager in an aggregator never needs it.
    from flops_utils.learner_dataset import learner_dataset  # noqa: PLC0415

    return learner_dataset(table, fingerprint=sha256(identity).hexdigest()[:16])
