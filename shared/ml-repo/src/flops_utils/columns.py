"""Columns of a dataset as whole arrays, with the same values as from ``datasets``.

``datasets`` reads a column row by row, and decodes pictures one by one; here both are done for
many rows at once. For columns that need special treatment, the result is None.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import pyarrow as pa
from datasets import Image

from flops_utils import png

Array = np.ndarray[Any, Any]

SMALL_PICTURES_PER_TASK: Final = 8192
PICTURES_PER_TASK: Final = 256


def numbers(column: pa.ChunkedArray, options: Mapping[str, Any]) -> Array | None:
    """Return a column of numbers, or of equally long lists of numbers, with one copy.

    Like ``datasets`` in format numpy: whole numbers are int64 and others float32, unless
    ``options`` say otherwise.
    """
    chunks = [_numbers(chunk) for chunk in column.chunks if len(chunk)]
    arrays = [chunk for chunk in chunks if chunk is not None]
    if len(arrays) < len(chunks) or len({array.shape[1:] for array in arrays}) != 1:
        return None
    first = arrays[0]
    options = {"dtype": np.int64 if first.dtype.kind in "iu" else np.float32, **options}
    has_nan = first.dtype == np.float64 and any(np.isnan(array).any() for array in arrays)
    if first.ndim == 1 and has_nan:
        return None
    if set(options) != {"dtype"}:
        return np.asarray(np.concatenate(arrays), **options)
    return np.concatenate(arrays, dtype=options["dtype"], casting="unsafe")


def _numbers(chunk: pa.Array) -> Array | None:
    """Return a view of a chunk; None if it has nulls, or lists of several lengths."""
    shape: list[int] = [len(chunk)]
    while pa.types.is_nested(chunk.type):
        width = _width(chunk)
        if width is None:
            return None
        shape.append(width)
        chunk = chunk.flatten()
    is_number = pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type)
    if not is_number or chunk.null_count:
        return None
    values: Array = chunk.to_numpy(zero_copy_only=True)
    return values.reshape(shape)


def _width(chunk: pa.Array) -> int | None:
    """Return the length of the lists, if all are lists of equal length."""
    if isinstance(chunk, pa.ExtensionArray) or chunk.null_count:
        return None
    if pa.types.is_fixed_size_list(chunk.type):
        return int(chunk.type.list_size)
    if not pa.types.is_list(chunk.type) and not pa.types.is_large_list(chunk.type):
        return None
    offsets = chunk.offsets.to_numpy()
    lengths = np.diff(offsets)
    return int(lengths[0]) if len(lengths) and (lengths == lengths[0]).all() else None


def pictures(column: pa.ChunkedArray, feature: Image, options: Mapping[str, Any]) -> Array | None:
    """Return a column of pictures, decoded on all processors."""
    encoded: list[bytes] = []
    for chunk in column.chunks:
        cells = chunk.field("bytes")
        if chunk.null_count or cells.null_count:
            return None
        encoded += cells.to_pylist()
    if not encoded:
        return None

    def decode_some(first: int) -> Array | list[Array]:
        files = encoded[first : first + size]
        array = png.decode_all(files) if size == SMALL_PICTURES_PER_TASK else None
        if array is None:
            return [_decode(feature, file, options) for file in files]
        return np.asarray(array, **options)

    size = SMALL_PICTURES_PER_TASK if _is_small(encoded, feature) else PICTURES_PER_TASK
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return _joined(list(pool.map(decode_some, range(0, len(encoded), size))))


def _is_small(encoded: Sequence[bytes], feature: Image) -> bool:
    return feature.mode is None and png.is_small(encoded[0])


def _decode(feature: Image, encoded: bytes, options: Mapping[str, Any]) -> Array:
    """Decode with datasets' own code, so that every value is the same."""
    return np.asarray(feature.decode_example({"bytes": encoded, "path": None}), **options)


def _joined(parts: list[Array | list[Array]]) -> Array:
    """Return an array of all pictures if they are of one kind, else an array of arrays."""
    kinds = {(part.shape[1:], part.dtype) for part in parts if isinstance(part, np.ndarray)} | {
        (picture.shape, picture.dtype)
        for part in parts
        if isinstance(part, list)
        for picture in part
    }
    if len(kinds) == 1:
        return np.concatenate([np.asarray(part) for part in parts])
    pictures = [picture for part in parts for picture in part]
    cells = np.empty(len(pictures), dtype=object)
    cells[:] = pictures
    return cells
