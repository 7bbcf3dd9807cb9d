import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from flops_ml_data_server.digest import ContentDigest
from support.data_plane import a_table, tables


def digest_of(table):
    digest = ContentDigest(table.schema)
    for batch in table.to_batches():
        digest.update(batch)
    return digest.hexdigest()


@settings(deadline=None)
@given(table=tables(), cut=st.integers(1, 20))
def test_the_digest_does_not_depend_on_how_rows_are_cut(table, cut):
    slices = [table.slice(row, cut) for row in range(0, table.num_rows, cut)]

    assert digest_of(pa.concat_tables(slices)) == digest_of(table)


@settings(deadline=None)
@given(table=tables(), other=tables())
def test_equal_digests_mean_equal_tables(table, other):
    is_equal = table.schema.equals(other.schema, check_metadata=True) and table.equals(other)

    assert (digest_of(table) == digest_of(other)) == is_equal


def test_a_null_is_not_a_zero():
    assert digest_of(pa.table({"x": pa.array([None, 1])})) != digest_of(pa.table({"x": [0, 1]}))


def test_texts_that_only_join_alike_differ():
    assert digest_of(pa.table({"x": ["ab", "c"]})) != digest_of(pa.table({"x": ["a", "bc"]}))


def test_names_and_metadata_count():
    table = a_table()

    digests = {
        digest_of(table),
        digest_of(table.rename_columns(["y"])),
        digest_of(table.replace_schema_metadata(None)),
    }

    assert len(digests) == 3


def test_what_lies_under_a_null_does_not_count():
    first_and_third = pa.py_buffer(b"\x05")
    values = pa.array([1, 2, 3]).buffers()[1]
    one = pa.Array.from_buffers(pa.int64(), 3, [first_and_third, values])

    assert digest_of(pa.table({"x": one})) == digest_of(pa.table({"x": [1, None, 3]}))
