import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flops_ml_data_server.storage.digest import ContentDigest
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


def test_the_bytes_of_a_null_do_not_count():
    first_and_third = pa.py_buffer(b"\x05")
    values = pa.array([1, 2, 3]).buffers()[1]
    array = pa.Array.from_buffers(pa.int64(), 3, [first_and_third, values])

    assert digest_of(pa.table({"x": array})) == digest_of(pa.table({"x": [1, None, 3]}))


# Names of stored fragments are made of these. Where one changes, with a release of ours or of
# Arrow, data that are sent again are stored a second time.
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
DIGESTS = [
    (pa.array([1, None, 3]), "789929b458049c2fab8bf869a780dbd9"),
    (pa.array([0.5, 1.5, None], pa.float32()), "465cc720ad8951de5c22a538d24001d7"),
    (pa.array([True, None, False]), "6d7d7c9ef4f387bc983966a360896b20"),
    (pa.array(["a", None, "\xdf"]), "01f54a630c6966ad643801930db4cb34"),
    (pa.array([b"\0", b"", b"long"], pa.large_binary()), "5745af35bb4ca163f31f529a49260fd7"),
    (pa.array([[1, 2], None, []], pa.list_(pa.int16())), "03dd92dee830bd4c0b7450808be5e579"),
    (pa.array([{"bytes": b"x"}] * 3, PICTURE), "e76227a26da5decbb6a87749b9e37aa6"),
    (pa.array(["a", "b", "a"]).dictionary_encode(), "ab3348cce3b744814ad2dfc8a4a01a85"),
    (pa.array([1, 2, None], pa.date32()), "32528cc6428c9dbcf6e5ead54153be79"),
    (pa.nulls(3), "0dee2264bf7005634b5e0d4e3bb3567e"),
]
NAMES = ["number", "ratio", "is_ok", "word", "blob", "list", "struct", "kind", "day", "none"]


@pytest.mark.parametrize(("name", "expected"), list(zip(NAMES, DIGESTS, strict=True)), ids=NAMES)
def test_stored_data_keep_their_digest(name, expected):
    column, digest = expected

    assert digest_of(pa.table({name: column})) == digest
