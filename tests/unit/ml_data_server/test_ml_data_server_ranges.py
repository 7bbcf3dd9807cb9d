import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flops_flight.names import FragmentName
from flops_ml_data_server.storage.fragments import (
    BATCH_BYTES,
    BATCHES,
    SMALLEST_BATCH_BYTES,
    read_footer,
    read_rows,
)


@settings(deadline=None)
@given(rows=st.integers(1, 60), group=st.integers(1, 20), cut=st.data())
def test_ranges_over_row_groups_give_exactly_their_rows(tmp_path_factory, rows, group, cut):
    path = tmp_path_factory.mktemp("ranges") / f"t.{'0' * 32}.parquet"
    pq.write_table(pa.table({"x": range(rows)}), path, row_group_size=group)
    stored = read_footer(FragmentName("t", "0" * 32), path)
    offset = cut.draw(st.integers(0, rows))
    count = cut.draw(st.integers(0, rows - offset))

    read = pa.Table.from_batches(read_rows(stored, offset, count), stored.schema)

    assert read.column("x").to_pylist() == list(range(offset, offset + count))


@pytest.mark.parametrize(
    ("asked_bytes", "batch_bytes"),
    [
        (2**19, SMALLEST_BATCH_BYTES),
        (2**24, 2**24 // BATCHES),
        (BATCHES * BATCH_BYTES, BATCH_BYTES),
    ],
)
def test_few_rows_come_in_small_batches(tmp_path, asked_bytes, batch_bytes):
    cell = batch_bytes // 64
    blobs = [os.urandom(cell)] * (asked_bytes // cell + 100)
    path = tmp_path / f"t.{'0' * 32}.parquet"
    pq.write_table(pa.table({"x": blobs}), path, use_dictionary=False, compression="none")
    stored = read_footer(FragmentName("t", "0" * 32), path)

    read = [batch.nbytes for batch in read_rows(stored, 0, asked_bytes // cell)]

    assert sum(read) >= asked_bytes
    assert 0.9 * batch_bytes < max(read) < 1.1 * batch_bytes
