"""Datasets from a path: Parquet, CSV, a folder of images, or a dataset saved by datasets."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from flops_flight.csv_files import read_csv
from flops_mock_data_provider.errors import DatasetUnavailableError

if TYPE_CHECKING:
    from datasets import Dataset

_SAVED = ("dataset_dict.json", "dataset_info.json")


def load_path(path: Path, split: str) -> "Dataset":
    """Return a split of the dataset at ``path``; raise ``DatasetUnavailableError``.

    In a folder, a split is a folder or the beginning of file names (``train-00000.parquet``);
    a folder without splits is all ``train``, and so is a single file.
    """
    if not path.exists():
        raise DatasetUnavailableError(
            f"there is nothing at {path}", hint="The path must exist where the provider runs."
        )
    try:
        return _reader_of(path)(path, split)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetUnavailableError(f"{path} cannot be read: {error}") from error


def _reader_of(path: Path) -> Callable[[Path, str], "Dataset"]:
    if path.is_file() and path.suffix == ".parquet":
        return lambda file, split: _tables([file], _only_train(split, file), pq.read_table)
    if path.is_file() and ".csv" in path.suffixes:
        return lambda file, split: _tables([file], _only_train(split, file), read_csv)
    if path.is_dir() and any((path / name).exists() for name in _SAVED):
        return _saved
    if path.is_dir() and any(path.rglob("*.parquet")):
        return lambda folder, split: _tables(
            _files(folder, "*.parquet", split), split, pq.read_table
        )
    if path.is_dir() and any(path.rglob("*.csv*")):
        return lambda root, split: _tables(_files(root, "*.csv*", split), split, read_csv)
    if path.is_dir():
        return _image_folder
    raise DatasetUnavailableError(
        f"{path} is not a dataset of a supported kind",
        hint="Use a .parquet or .csv file, a folder of them or of images, or a saved dataset.",
    )


def _only_train(split: str, path: Path) -> str:
    if split != "train":
        raise DatasetUnavailableError(f"{path} is one file; so it has no split '{split}'")
    return split


def _files(folder: Path, pattern: str, split: str) -> list[Path]:
    """Return the files of ``split``, sorted, so that reading is reproducible."""
    every = sorted(folder.rglob(pattern))
    chosen = [path for path in every if _is_of_split(path.relative_to(folder), split)]
    if chosen or split != "train":
        return chosen
    return every


def _is_of_split(path: Path, split: str) -> bool:
    stem = path.name.split(".")[0]
    return split in path.parts[:-1] or stem == split or stem.startswith((f"{split}-", f"{split}_"))


def _tables(paths: list[Path], split: str, read: Callable[[Path], Any]) -> "Dataset":
    from datasets import Dataset  # noqa: PLC0415 - a second to import

    if not paths:
        raise DatasetUnavailableError(f"no file belongs to the split '{split}'")
    return Dataset(pa.concat_tables([read(path) for path in paths]))


def _saved(path: Path, split: str) -> "Dataset":
    from datasets import DatasetDict, load_from_disk  # noqa: PLC0415 - a second to import

    saved = load_from_disk(str(path))
    if not isinstance(saved, DatasetDict):
        return saved
    if split not in saved:
        raise DatasetUnavailableError(
            f"{path} has no split '{split}'", hint=f"It has: {', '.join(saved)}."
        )
    return saved[split]


def _image_folder(path: Path, split: str) -> "Dataset":
    from datasets import Dataset, load_dataset  # noqa: PLC0415 - a second to import
    from datasets.table import embed_table_storage  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as cache:
        dataset = load_dataset("imagefolder", data_dir=str(path), split=split, cache_dir=cache)
        # Embed the pictures, because their paths exist only on this machine.
        return Dataset(embed_table_storage(dataset.with_format("arrow")[:]))
