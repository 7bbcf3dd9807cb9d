import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict
from PIL import Image

from flops_mock_data_provider.errors import DatasetUnavailableError
from flops_mock_data_provider.files import load_path
from flops_mock_data_provider.providing import label_count


def write(path, first, rows=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"x": range(first, first + rows)}), path)


def xs(dataset):
    return list(dataset["x"])


def test_one_parquet_file(tmp_path):
    write(tmp_path / "data.parquet", 0)

    assert xs(load_path(tmp_path / "data.parquet", "train")) == [0, 1, 2]


def test_one_csv_file(tmp_path):
    (tmp_path / "data.csv").write_text("x,label\n1,cat\n2,dog\n")

    assert load_path(tmp_path / "data.csv", "train").to_dict() == {
        "x": [1, 2],
        "label": ["cat", "dog"],
    }


def test_a_folder_of_parquet_is_read_in_the_order_of_names(tmp_path):
    write(tmp_path / "b.parquet", 3)
    write(tmp_path / "a.parquet", 0)

    assert xs(load_path(tmp_path, "train")) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["{}-00000-of-00001.parquet", "{}/0.parquet", "{}.parquet"])
def test_a_split_is_a_folder_or_the_begin_of_a_name(tmp_path, name):
    write(tmp_path / name.format("train"), 0)
    write(tmp_path / name.format("test"), 3)

    assert xs(load_path(tmp_path, "test")) == [3, 4, 5]


def test_a_saved_dataset(tmp_path):
    saved = Dataset.from_dict({"x": [1, 2]})
    DatasetDict({"train": saved, "test": saved.select([1])}).save_to_disk(tmp_path / "saved")

    assert xs(load_path(tmp_path / "saved", "test")) == [2]


def test_a_folder_of_images_carries_the_pictures_themselves(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "train" / label).mkdir(parents=True)
        Image.new("L", (4, 4), 7).save(tmp_path / "train" / label / "0.png")

    dataset = load_path(tmp_path, "train")

    assert dataset.features["label"].names == ["cat", "dog"]
    assert dataset.data.table.column("image").combine_chunks().field("bytes").null_count == 0


@pytest.mark.parametrize("split", ["test", "trai"])
def test_a_split_that_is_not_there_is_refused(tmp_path, split):
    write(tmp_path / "train.parquet", 0)

    with pytest.raises(DatasetUnavailableError, match=split):
        load_path(tmp_path, split)


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DatasetUnavailableError, match="there is nothing at"):
        load_path(tmp_path / "nowhere", "train")


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "data.parquet").write_bytes(b"PAR1")

    with pytest.raises(DatasetUnavailableError, match="cannot be read"):
        load_path(tmp_path / "data.parquet", "train")


def test_labels_are_counted_by_name():
    dataset = Dataset.from_dict({"x": [1, 2, 3], "label": ["cat", "dog", "cat"]})
    named = dataset.class_encode_column("label")
    counts = [label_count(dataset), label_count(named)]

    for count, counted in zip(counts, [dataset, named], strict=True):
        count.add(counted.data.table)

    assert [count.counts for count in counts] == [{"cat": 2, "dog": 1}] * 2


def test_a_column_with_ever_new_values_holds_no_labels():
    dataset = Dataset.from_dict({"label": list(range(3000))})
    count = label_count(dataset)

    count.add(dataset.data.table)
    count.add(dataset.data.table)

    assert count.counts == {}


def test_data_without_labels_have_no_counts():
    assert label_count(Dataset.from_dict({"x": [1]})).column == ""
