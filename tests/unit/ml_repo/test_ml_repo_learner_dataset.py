import io
import pickle

import numpy as np
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value
from PIL import Image as Pillow

from flops_utils.learner_dataset import LearnerDataset, learner_dataset

ROWS = 600
FEATURES = Features({"image": Image(), "label": ClassLabel(names=[str(n) for n in range(10)])})
PIXELS = np.random.default_rng(3).integers(0, 256, (ROWS, 28, 28), dtype=np.uint8)


def png(pixels):
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(encoded, features=FEATURES):
    schema = features.arrow_schema
    cells = [file and {"bytes": file, "path": None} for file in encoded]
    labels = [number % 10 for number in range(len(cells))]
    return pa.table([pa.array(cells, schema.field("image").type), labels], schema=schema)


TABLE = pictures([png(pixels) for pixels in PIXELS])


@pytest.fixture
def dataset():
    return learner_dataset(TABLE, "0123").with_format("arrow")


def test_features_come_from_the_metadata_of_the_schema(dataset):
    assert dataset.features == FEATURES


def test_features_without_metadata_come_from_the_types():
    dataset = learner_dataset(pa.table({"x": [1.5], "name": ["a"]}), "0123")

    assert dataset.features == Features({"x": Value("float64"), "name": Value("string")})


def test_metadata_that_nobody_understands_do_no_harm():
    table = pa.table({"x": [1]}).replace_schema_metadata({"huggingface": '{"info": 7}'})

    assert learner_dataset(table, "0123").features == Features({"x": Value("int64")})


def test_a_dictionary_column_becomes_a_plain_one():
    words = pa.array(["a", "b", "a"]).dictionary_encode()

    dataset = learner_dataset(pa.table({"word": words}), "0123").with_format("numpy")

    assert dataset["word"].tolist() == ["a", "b", "a"]


def test_no_copy_of_the_data_is_made(dataset):
    before = TABLE.column("label").chunk(0).buffers()[1].address

    assert dataset.data.table.column("label").chunk(0).buffers()[1].address == before


def test_what_the_sklearn_sample_does_gives_the_pixels(dataset):
    dataset.set_format("numpy")

    x = dataset["image"].reshape((len(dataset), -1))
    y = dataset["label"]
    x_train, y_train = x[: int(0.8 * len(x))], y[: int(0.8 * len(y))]

    assert (x.dtype, x_train.shape, type(y_train)) == (np.uint8, (480, 784), np.ndarray)
    assert np.array_equal(x, PIXELS.reshape(ROWS, -1))
    assert y.tolist() == [row % 10 for row in range(ROWS)]


def test_what_the_torch_sample_does_gives_each_half_its_pixels(dataset):
    def scale(batch):
        batch["image"] = [np.asarray(image) / 255 for image in batch["image"]]
        return batch

    dataset.set_format("numpy")
    halves = dataset.train_test_split(test_size=0.5, seed=42)
    plain = halves["train"]["image"]
    scaled = halves.with_transform(scale)["train"]

    assert np.array_equal(scaled[0]["image"] * 255, plain[0])
    assert np.array_equal([row["image"] * 255 for row in scaled], plain)


def test_decoding_in_parallel_changes_no_bit(dataset):
    theirs = Dataset(TABLE).with_format("numpy")[:]["image"]

    ours = dataset.with_format("numpy")["image"]

    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    "derive",
    [
        lambda data: data.select(range(5)),
        lambda data: data.select([4, 1, 3]),
        lambda data: data.shuffle(seed=1),
        lambda data: data.shard(2, 0),
        lambda data: data.take(3),
        lambda data: data.sort("label"),
        lambda data: data.filter(lambda row: row["label"] == 3),
        lambda data: data.map(lambda row: {"label": 9 - row["label"]}),
        lambda data: data.rename_column("label", "digit").rename_column("digit", "label"),
        lambda data: data.train_test_split(test_size=0.2)["test"],
        lambda data: data.with_format("numpy", columns=["image", "label"]),
        lambda data: pickle.loads(pickle.dumps(data)),  # noqa: S301 - our own
    ],
)
def test_columns_are_arrays_whatever_a_dataset_was_derived_by(dataset, derive):
    derived = derive(dataset.with_format("numpy"))

    assert isinstance(derived, LearnerDataset)
    assert derived["image"].shape == (len(derived), 28, 28)
    assert isinstance(derived["label"][:3], np.ndarray)


def test_pictures_of_several_sizes_are_an_array_of_arrays():
    table = pictures([png(PIXELS[0]), png(PIXELS[0][:14])])

    images = learner_dataset(table, "0123").with_format("numpy")["image"]

    assert [image.shape for image in images] == [(28, 28), (14, 28)]


def test_a_missing_picture_stays_missing():
    table = pictures([png(PIXELS[0]), None])

    images = learner_dataset(table, "0123").with_format("numpy")["image"]

    assert images[1] is None


def test_a_dtype_that_was_asked_for_is_given(dataset):
    assert dataset.with_format("numpy", dtype=np.float32)["image"].dtype == np.float32


def test_a_column_that_is_not_there_is_an_error(dataset):
    with pytest.raises(KeyError, match="nothing"):
        dataset.with_format("numpy")["nothing"]


def test_the_format_after_loading_is_arrow(dataset):
    assert isinstance(dataset["label"], pa.ChunkedArray)


def test_without_a_format_columns_are_lazy_as_datasets_has_them(dataset):
    dataset.reset_format()

    assert list(dataset["label"])[:3] == [0, 1, 2]
