from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flops_flight.errors import DataRejectedError, NoDataError
from flops_flight.names import FragmentName
from flops_ml_data_server.storage.fragments import read_rows
from flops_ml_data_server.storage.uploads import Limits, PendingFragment
from flops_ml_data_server.storage.volume import Volume, VolumeUnusableError
from flops_ml_data_server.transfers.memory import Memory
from support.data_plane import METADATA, a_table

NAME = f"mnist.{'a' * 32}.parquet"


@pytest.fixture
def volume(tmp_path):
    volume = Volume(tmp_path)
    volume.open()
    yield volume
    volume.close()


def store(volume, table, tag="mnist", digest=""):
    with volume.begin(table.schema) as pending:
        for batch in table.to_batches():
            pending.append(batch)
        pending.finish()
        return volume.publish(pending, FragmentName(tag, digest))


def test_stored_data_can_be_read_as_plain_parquet(volume, tmp_path):
    stored = store(volume, a_table())

    assert pq.read_table(tmp_path / str(stored.name)).equals(a_table())


def test_metadata_of_the_schema_survive_and_nothing_of_ours_is_added(volume):
    stored = store(volume, a_table())

    assert stored.schema.metadata == {b"huggingface": METADATA["huggingface"].encode()}


def test_an_unfinished_upload_is_not_listed_and_leaves_nothing(volume, tmp_path):
    with volume.begin(a_table().schema) as pending:
        pending.append(a_table().to_batches()[0])
        during = volume.fragments()

    assert (during, list(tmp_path.glob(".upload-*"))) == ((), [])


def test_what_a_crash_left_is_removed_at_the_next_start(tmp_path):
    (tmp_path / ".upload-0123").write_bytes(b"half")

    volume = Volume(tmp_path)
    volume.open()
    volume.close()

    assert not (tmp_path / ".upload-0123").exists()


def test_equal_content_is_stored_once(volume, tmp_path):
    first = store(volume, a_table())
    again = store(volume, a_table())

    assert (again, len(list(tmp_path.glob("*.parquet")))) == (first, 1)


def test_a_name_is_not_given_to_other_content(volume):
    store(volume, a_table(), digest="a" * 32)

    with pytest.raises(DataRejectedError, match="exists with other data"):
        store(volume, a_table(first=1), digest="a" * 32)


def test_a_file_of_an_older_server_counts_as_stored(volume, tmp_path):
    pq.write_table(a_table(), tmp_path / NAME)

    stored = store(volume, a_table(), digest="a" * 32)

    assert (str(stored.name), stored.digest) == (NAME, "")


def test_a_link_out_of_the_volume_is_not_a_fragment(volume, tmp_path):
    secret = tmp_path.parent / f"{tmp_path.name}-secret.parquet"
    pq.write_table(a_table(), secret)
    (tmp_path / NAME).symlink_to(secret)

    assert volume.fragments() == ()
    with pytest.raises(NoDataError):
        volume.find(NAME)


def test_nothing_is_written_through_a_link(volume, tmp_path):
    (tmp_path / NAME).symlink_to(tmp_path.parent / "elsewhere.parquet")

    with pytest.raises(DataRejectedError, match="exists and is not a fragment"):
        store(volume, a_table(), digest="a" * 32)


def test_a_file_other_than_parquet_is_not_listed(volume, tmp_path):
    (tmp_path / NAME).write_bytes(b"PAR1 but not really")

    assert volume.fragments() == ()


def test_a_dropped_fragment_is_gone(volume, tmp_path):
    stored = store(volume, a_table())

    volume.drop(str(stored.name))

    assert (volume.fragments(), list(tmp_path.glob("*.parquet"))) == ((), [])


def test_a_download_of_a_dropped_fragment_is_completed(volume):
    stored = store(volume, a_table())
    rows = read_rows(stored)

    volume.drop(str(stored.name))

    assert pa.Table.from_batches(rows).num_rows == 100


def test_a_volume_serves_one_process(volume, tmp_path):
    with pytest.raises(VolumeUnusableError, match="another data server"):
        Volume(tmp_path).open()


def test_an_upload_beyond_the_limit_is_refused_and_leaves_nothing(tmp_path):
    volume = Volume(tmp_path, limits=Limits(max_upload_bytes=10_000, min_free_bytes=0))

    with pytest.raises(DataRejectedError, match="larger than the limit of 0 MB"):
        store(volume, a_table(rows=100_000))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_reported_and_nothing_is_left(tmp_path):
    volume = Volume(tmp_path, limits=Limits(min_free_bytes=2**60))

    with pytest.raises(DataRejectedError, match="full"):
        store(volume, a_table())
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_not_packed_twice(volume):
    table = pa.table({"image": [{"bytes": b"png", "path": None}], "label": [1]})

    stored = store(volume, table)

    group = pq.ParquetFile(stored.path).metadata.row_group(0)
    codecs = {group.column(i).path_in_schema: group.column(i).compression for i in range(3)}
    assert codecs == {"image.bytes": "UNCOMPRESSED", "image.path": "ZSTD", "label": "ZSTD"}


def test_tiny_batches_make_no_tiny_row_groups(volume):
    table = a_table(rows=3000)

    with volume.begin(table.schema) as pending:
        for batch in table.to_batches(max_chunksize=1):
            pending.append(batch)
        pending.finish()
        stored = volume.publish(pending, FragmentName("mnist", ""))

    assert pq.ParquetFile(stored.path).metadata.num_row_groups == 1


@pytest.mark.parametrize(
    "schema",
    [pa.schema([]), pa.schema([("x", pa.int64()), ("x", pa.int64())])],
    ids=["no columns", "two of one name"],
)
def test_useless_columns_are_refused(volume, schema):
    with pytest.raises(DataRejectedError), volume.begin(schema):
        pass


def test_what_parquet_cannot_hold_is_refused(volume):
    empty = pa.schema([("x", pa.struct([]))])

    with pytest.raises(DataRejectedError, match="Parquet cannot store"), volume.begin(empty):
        pass


@pytest.mark.parametrize(("offset", "rows"), [(0, 1), (99, 1), (9, 12), (0, 100), (50, 0)])
def test_any_range_of_rows_can_be_read(volume, offset, rows):
    stored = store(volume, a_table())

    read = pa.Table.from_batches(read_rows(stored, offset, rows), stored.schema)

    assert read.column("x").to_pylist() == list(range(offset, offset + rows))


def test_a_damaged_file_is_reported(volume):
    stored = store(volume, a_table(rows=5000))
    data = bytearray(stored.path.read_bytes())
    data[100:200] = bytes(100)
    stored.path.write_bytes(data)

    with pytest.raises(NoDataError, match="damaged"):
        list(read_rows(stored))


def test_an_upload_does_not_expire_while_it_waits_for_its_turn(tmp_path):
    clock = [0.0]

    class SlowTurns(Memory):
        @contextmanager
        def turn(self):
            clock[0] = 100
            assert not pending.expire()
            with super().turn() as turn:
                yield turn

    limits, schema = Limits(idle_seconds=10), a_table().schema
    upload = PendingFragment(tmp_path, schema, "zstd", limits, SlowTurns(), now=lambda: clock[0])
    with upload as pending, pending.receiving():
        assert not pending.expire()
        clock[0] = 111

        assert pending.expire()
