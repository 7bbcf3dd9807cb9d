"""Files of a device as tables to send: Parquet and CSV files, folders of them or of images.

Everything is read batch by batch, so a file may be larger than memory.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from flops_cli.errors import UnreadableFileError

BATCH_BYTES: Final = 4 * 2**20
BATCH_ROWS: Final = 16_384
PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
TABLES: Final = (".parquet", ".csv", ".csv.gz")

KILOBYTE: Final = 1000

Moved = Callable[[float], None]
"""Called with the number of units that have been read since the last call."""


@dataclass(frozen=True)
class Source:
    """A table to send, ``total`` in ``unit``; ``read`` is called once and reports its progress."""

    path: Path
    total: float
    unit: str
    read: Callable[[Moved], pa.RecordBatchReader]


def find_sources(path: Path) -> tuple[Source, ...]:
    """Return the tables at ``path``, a file or a folder; raise ``UnreadableFileError``.

    Each file is a table of its own; a folder of images is one table with the columns ``image`` and,
    if the images lie in folders, ``label``: the folders' names in alphabetical order.
    """
    if not path.exists():
        raise UnreadableFileError(f"{path} does not exist")
    if path.is_file():
        return (_of_file(path),)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    tables = [file for file in files if _is_table(file)]
    pictures = [file for file in files if file.suffix.lower() in PICTURES]
    if tables and not pictures:
        return tuple(_of_file(file) for file in tables)
    if pictures and not tables:
        return (_of_pictures(path, pictures),)
    raise UnreadableFileError(
        f"{path} contains {'both tables and images' if tables else 'neither tables nor images'}",
        hint=f"A folder must contain {', '.join(TABLES)} files only, or images only.",
    )


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLES)


def _of_file(path: Path) -> Source:
    name = path.name.lower()
    if name.endswith(".parquet"):
        with _readable(path), pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
        return Source(path, rows, "rows", lambda moved: _parquet(path, moved))
    if _is_table(path):
        kilobytes = path.stat().st_size / KILOBYTE
        return Source(path, kilobytes, "kB", lambda moved: _csv(path, moved))
    raise UnreadableFileError(f"{path} is not a file of type {', '.join(TABLES)}")


def _parquet(path: Path, moved: Moved) -> pa.RecordBatchReader:
    file = pq.ParquetFile(path)

    def batches() -> Iterator[pa.RecordBatch]:
        with _readable(path), file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield batch
                moved(batch.num_rows)

    return pa.RecordBatchReader.from_batches(file.schema_arrow, batches())


def _csv(path: Path, moved: Moved) -> pa.RecordBatchReader:
    with _readable(path):
        counted = pa.PythonFile(_CountedFile(path, moved), mode="r")
        is_packed = path.suffix.lower() == ".gz"
        stream = pa.CompressedInputStream(counted, "gzip") if is_packed else counted
        reader = csv.open_csv(stream, csv.ReadOptions(block_size=BATCH_BYTES))

    def batches() -> Iterator[pa.RecordBatch]:
        with _readable(path, "All values of a column must have the type of its first values."):
            yield from reader

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _of_pictures(folder: Path, pictures: list[Path]) -> Source:
    names = sorted({picture.parent.name for picture in pictures if picture.parent != folder})
    if names and any(picture.parent == folder for picture in pictures):
        raise UnreadableFileError(
            f"some images in {folder} are not inside a label folder",
            hint="Move each image into a folder that has the name of its label.",
        )
    schema = _picture_schema(names)

    def batches(moved: Moved) -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, object]] = []
        size = 0
        for picture in pictures:
            with _readable(picture):
                content = picture.read_bytes()
            label = {"label": names.index(picture.parent.name)} if names else {}
            rows.append({"image": {"bytes": content, "path": picture.name}, **label})
            size += len(content)
            if size >= BATCH_BYTES or picture is pictures[-1]:
                yield pa.RecordBatch.from_pylist(rows, schema)
                moved(len(rows))
                rows, size = [], 0

    return Source(
        folder,
        len(pictures),
        "images",
        lambda moved: pa.RecordBatchReader.from_batches(schema, batches(moved)),
    )


def _picture_schema(names: list[str]) -> pa.Schema:
    """Return a schema whose metadata makes ``datasets`` read the columns as images and classes."""
    features: dict[str, object] = {"image": {"_type": "Image"}}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [("image", image)]
    if names:
        features["label"] = {"names": names, "_type": "ClassLabel"}
        columns.append(("label", pa.int64()))
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(columns, metadata=metadata)


class _CountedFile(io.FileIO):
    """A file that reports how much of it was read."""

    def __init__(self, path: Path, moved: Moved) -> None:
        super().__init__(path)
        self._moved = moved

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(-1 if size is None else size) or b""
        self._moved(len(content) / KILOBYTE)
        return content


@contextmanager
def _readable(path: Path, hint: str = "") -> Iterator[None]:
    """Turn errors of reading ``path`` into an ``UnreadableFileError`` that names it."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableFileError(f"{path} cannot be read: {text}", hint) from error
