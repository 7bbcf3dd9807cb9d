import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from flops_flight.names import FragmentName
from flops_ml_data_server.fragments import read_footer, read_rows


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
