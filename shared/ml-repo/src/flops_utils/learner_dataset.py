"""The dataset that ``load_dataset`` returns: Hugging Face's, with columns that are arrays.

In datasets 2 and 3, ``dataset["image"]`` was an array once a format was set, and repositories rely
on that; since datasets 4 it is a lazy ``Column`` without ``reshape`` or slices of arrays.
"""

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
from datasets import Dataset, DatasetDict, DatasetInfo, Features, Image
from datasets.formatting import query_table
from datasets.table import InMemoryTable

from flops_utils import columns

ARRAY_FORMATS: Final = frozenset({"numpy", "torch", "tensorflow", "jax"})

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
"""The methods of ``Dataset`` that return datasets, which become instances of our class."""


class LearnerDataset(Dataset):  # type: ignore[misc] # datasets has no types
    """A ``datasets.Dataset`` whose columns are whole arrays in formats with arrays."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str) and self._format_type in ARRAY_FORMATS:
            array = self._array(key) if self._format_type == "numpy" else None
            return self._getitem(key) if array is None else array
        return super().__getitem__(key)

    def _array(self, name: str) -> np.ndarray[Any, Any] | None:
        """Return a whole column in format numpy; None if it needs special treatment."""
        feature = self.features.get(name)
        is_formatted = self._format_columns is None or name in self._format_columns
        if feature is None or not is_formatted:
            return None
        column = query_table(self._data, name, indices=self._indices).column(0)
        options = self._format_kwargs or {}
        if isinstance(feature, Image):
            return columns.pictures(column, feature, options) if feature.decode else None
        return columns.numbers(column, options)


def learner_dataset(table: pa.Table, fingerprint: str) -> LearnerDataset:
    """Return a dataset over ``table`` itself: nothing is copied, and nothing is cached on disk.

    The features are those in the schema's ``huggingface`` metadata, else derived from the types.
    """
    table = _with_readable_metadata(table)
    features = Features.from_arrow_schema(table.schema)
    # Without a fingerprint, datasets would hash every byte to make one.
    return LearnerDataset(
        InMemoryTable(table), info=DatasetInfo(features=features), fingerprint=fingerprint
    )


def _with_readable_metadata(table: pa.Table) -> pa.Table:
    """Return ``table``, without its metadata if datasets cannot read them."""
    try:
        Features.from_arrow_schema(table.schema)
    except (AttributeError, KeyError, TypeError, ValueError):
        return table.replace_schema_metadata(None)
    return table


def _ours(derived: Any) -> Any:
    if isinstance(derived, DatasetDict):
        return DatasetDict({name: _ours(dataset) for name, dataset in derived.items()})
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
