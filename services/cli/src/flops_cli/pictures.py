"""Folders of images as tables whose columns ``datasets`` reads as images and classes."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
from PIL import Image, UnidentifiedImageError

PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
LABEL: Final = "label"
"""The column of the classes' numbers."""

BATCH_BYTES: Final = 4 * 2**20


def readable_pictures(
    pictures: Sequence[Path],
) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return the images that can be decoded, and the others with the reason."""
    whole: list[Path] = []
    broken: list[tuple[Path, str]] = []
    for picture in pictures:
        try:
            with Image.open(picture) as image:
                image.load()
        except Exception as error:  # noqa: BLE001 - decoders of formats raise what they like
            broken.append((picture, _reason(picture, error)))
        else:
            whole.append(picture)
    return whole, broken


def _reason(picture: Path, error: Exception) -> str:
    if picture.stat().st_size == 0:
        return "empty"
    return "not an image" if isinstance(error, UnidentifiedImageError) else str(error)


def picture_schema(names: Sequence[str]) -> pa.Schema:
    """Return a schema whose metadata makes ``datasets`` read the columns as images and classes."""
    features: dict[str, object] = {"image": {"_type": "Image"}}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [("image", image)]
    if names:
        features[LABEL] = {"names": list(names), "_type": "ClassLabel"}
        columns.append((LABEL, pa.int64()))
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(columns, metadata=metadata)


def picture_batches(
    pictures: Sequence[Path],
    names: Sequence[str],
    schema: pa.Schema,
    moved: Callable[[float], None],
) -> Iterator[pa.RecordBatch]:
    """Yield rows of ``schema``; ``moved`` is called with the number of rows of each batch."""
    rows: list[dict[str, object]] = []
    size = 0
    for picture in pictures:
        content = picture.read_bytes()
        label = {LABEL: names.index(picture.parent.name)} if names else {}
        rows.append({"image": {"bytes": content, "path": picture.name}, **label})
        size += len(content)
        if size >= BATCH_BYTES or picture is pictures[-1]:
            yield pa.RecordBatch.from_pylist(rows, schema)
            moved(len(rows))
            rows, size = [], 0
