"""200,000 batches of one row, as from a device that sends each reading by itself."""

import pyarrow as pa
import pyarrow.parquet as pq

from support.data_plane import a_data_server_process, memory_mb

BATCHES = 200_000
SCHEMA = pa.schema({"at": pa.int64(), "name": pa.string()})


def batches():
    batch = pa.record_batch([[7], ["reading"]], schema=SCHEMA)
    return (batch for _ in range(BATCHES))


def test_they_become_few_row_groups_in_bounded_memory(tmp_path):
    with a_data_server_process(tmp_path / "volume") as (node, process), node.client() as server:
        before = memory_mb(process, "VmRSS")

        stored = server.upload("tiny", pa.RecordBatchReader.from_batches(SCHEMA, batches()))

        # A batch takes a kilobyte or more in memory; all of them would take 280 MB.
        assert memory_mb(process, "VmHWM") - before < 100
        metadata = pq.ParquetFile(node.volume / stored.name).metadata
        assert (stored.rows, metadata.num_rows) == (BATCHES, BATCHES)
        assert metadata.num_row_groups <= 20
