"""The dataset that ``load_dataset`` returns: Hugging Face's, with columns that are arrays.

``dataset["image"]`` was an array in datasets 2 and 3 once a format was set, and repositories are
written for that; since datasets 4 it is a lazy ``Column`` without ``reshape`` or slices of arrays.
"""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import pyarrow as pa
from datasets import Dataset, DatasetDict, DatasetInfo, Features, Image
from datasets.formatting import query_table
from datasets.table import InMemoryTable

ARRAY_FORMATS: Final = frozenset({"numpy", "torch", "tensorflow", "jax"})
IMAGES_PER_TASK: Final = 256

_DERIVING: Final = (
    "add_column",
    "add_item",
    "align_labels_with_mapping",
    "cast",
    "cast_column",
    "class_encode_column",
    "filter",
    "flatten",
    "flatten_indices",
    "map",
    "remove_columns",
    "rename_column",
    "rename_columns",
    "repeat",
    "select",
    "select_columns",
    "shard",
    "shuffle",
    "skip",
    "sort",
    "take",
    "train_test_split",
    "with_format",
    "with_transform",
)
"""The methods of ``Dataset`` that return datasets; theirs are of our class, too."""


class LearnerDataset(Dataset):  # type: ignore[misc] # datasets has no types
    """A ``datasets.Dataset`` whose columns are whole arrays in the formats that have arrays."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str) and self._format_type in ARRAY_FORMATS:
            images = self._images(key) if self._format_type == "numpy" else None
            return self._getitem(key) if images is None else images
        return super().__getitem__(key)

    def _images(self, name: str) -> np.ndarray[Any, Any] | None:
        """Decode a column of images in parallel; None if there is something special about it."""
        feature = self.features.get(name)
        is_formatted = self._format_columns is None or name in self._format_columns
        if not (isinstance(feature, Image) and feature.decode and is_formatted and len(self)):
            return None
        column = query_table(self._data, name, indices=self._indices).column(0).combine_chunks()
        encoded = column.field("bytes")
        if column.null_count or encoded.null_count:
            return None
        return _stack(_decode(feature, encoded.to_pylist(), self._format_kwargs or {}))


def learner_dataset(table: pa.Table, fingerprint: str) -> LearnerDataset:
    """Return a dataset over ``table`` itself: nothing is copied, and nothing is cached on disk.

    The features are those in the schema's ``huggingface`` metadata, else what the types suggest.
    """
    table = _understood(table)
    features = Features.from_arrow_schema(table.schema)
    # The fingerprint is given because datasets would otherwise hash every byte to make one.
    return LearnerDataset(
        InMemoryTable(table), info=DatasetInfo(features=features), fingerprint=fingerprint
    )


def _understood(table: pa.Table) -> pa.Table:
    """Return ``table``, without its metadata if datasets cannot read them."""
    try:
        Features.from_arrow_schema(table.schema)
    except (AttributeError, KeyError, TypeError, ValueError):
        return table.replace_schema_metadata(None)
    return table


def _decode(
    feature: Image, encoded: Sequence[bytes], options: dict[str, Any]
) -> list[np.ndarray[Any, Any]]:
    """Decode with datasets' own code, so that every value is what it would be there."""

    def decode_some(first: int) -> list[np.ndarray[Any, Any]]:
        some = encoded[first : first + IMAGES_PER_TASK]
        return [
            np.asarray(feature.decode_example({"bytes": one, "path": None}), **options)
            for one in some
        ]

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        parts = pool.map(decode_some, range(0, len(encoded), IMAGES_PER_TASK))
        return [image for part in parts for image in part]


def _stack(images: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    first = images[0]
    if all(one.shape == first.shape and one.dtype == first.dtype for one in images):
        return np.stack(images)
    unlike = np.empty(len(images), dtype=object)
    unlike[:] = images
    return unlike


def _ours(derived: Any) -> Any:
    if isinstance(derived, DatasetDict):
        return DatasetDict({name: _ours(one) for name, one in derived.items()})
    if type(derived) is Dataset:
        derived.__class__ = LearnerDataset
    return derived


def _deriving(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def derive(self: LearnerDataset, *args: Any, **kwargs: Any) -> Any:
        return _ours(method(self, *args, **kwargs))

    return derive


for _name in _DERIVING:
    if hasattr(Dataset, _name):
        setattr(LearnerDataset, _name, _deriving(getattr(Dataset, _name)))
