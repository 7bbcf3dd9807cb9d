"""Files of a device as tables to send: Parquet and CSV files, folders of them or of images.

Everything is read batch by batch, so a file may be larger than memory.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from flops_cli.errors import UnreadableFileError
from flops_cli.pictures import PICTURES, picture_batches, picture_schema, readable_pictures
from flops_flight.csv_files import CsvFormat, CsvSample, open_csv, sample_csv

BATCH_ROWS: Final = 16_384
MAX_LISTED: Final = 20
TABLES: Final = (".parquet", ".csv", ".csv.gz")

KILOBYTE: Final = 1000

Moved = Callable[[float], None]
"""Called with the number of units that have been read since the last call."""


@dataclass(frozen=True)
class Source:
    """A table to send, ``total`` in ``unit``; ``read`` is called once and reports its progress.

    ``sample`` is what was recognised in a CSV file. ``notices`` are what users should know of it.
    """

    path: Path
    total: float
    unit: str
    read: Callable[[Moved], pa.RecordBatchReader]
    sample: CsvSample | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """How to read files: the format of CSV files, and whether broken images are left out.

    ``classes`` are those of images, in the order of their numbers; none are the folders' names.
    """

    csv_format: CsvFormat = field(default_factory=CsvFormat)
    skip_broken: bool = False
    classes: tuple[str, ...] = ()


DEFAULTS: Final = Options()


def find_sources(path: Path, options: Options = DEFAULTS) -> tuple[Source, ...]:
    """Return the tables at ``path``, a file or a folder; raise ``UnreadableFileError``.

    Each file is a table of its own; a folder of images is one table with the columns ``image`` and,
    if the images lie in folders, ``label``: the folders' names in alphabetical order.
    """
    if not path.exists():
        raise UnreadableFileError(f"{path} does not exist")
    if path.is_file():
        return (_of_file(path, options),)
    files = sorted(
        file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path)
    )
    tables = [file for file in files if _is_table(file)]
    pictures = [file for file in files if file.suffix.lower() in PICTURES]
    if tables and not pictures:
        return tuple(_of_file(file, options) for file in tables)
    if pictures and not tables:
        return (_of_pictures(path, pictures, options),)
    raise UnreadableFileError(
        f"{path} contains {'both tables and images' if tables else 'neither tables nor images'}",
        hint=f"A folder must contain {', '.join(TABLES)} files only, or images only.",
    )


def _is_hidden(file: Path, folder: Path) -> bool:
    """Return whether an operating system or tool wrote it, such as macOS' ``._1.png``."""
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLES)


def _of_file(path: Path, options: Options) -> Source:
    if path.name.lower().endswith(".parquet"):
        with _readable(path), pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
        _require_rows(path, rows)
        return Source(path, rows, "rows", lambda moved: _parquet(path, moved))
    if _is_table(path):
        with _readable(path):
            sample = sample_csv(path, options.csv_format)
        _require_rows(path, len(sample.rows) - 1)
        kilobytes = path.stat().st_size / KILOBYTE
        return Source(
            path, kilobytes, "kB", lambda moved: _csv(path, sample, moved), sample, sample.notices
        )
    raise UnreadableFileError(f"{path} is not a file of type {', '.join(TABLES)}")


def _require_rows(path: Path, rows: int) -> None:
    if rows <= 0:
        raise UnreadableFileError(f"{path} has no rows", hint="Leave it out, or add rows to it.")


def _parquet(path: Path, moved: Moved) -> pa.RecordBatchReader:
    file = pq.ParquetFile(path)

    def batches() -> Iterator[pa.RecordBatch]:
        with _readable(path), file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield batch
                moved(batch.num_rows)

    return pa.RecordBatchReader.from_batches(file.schema_arrow, batches())


def _csv(path: Path, sample: CsvSample, moved: Moved) -> pa.RecordBatchReader:
    with _readable(path):
        counted = pa.PythonFile(_CountedFile(path, moved), mode="r")
        is_packed = path.suffix.lower() == ".gz"
        stream = pa.CompressedInputStream(counted, "gzip") if is_packed else counted
        reader = open_csv(stream, sample)

    def batches() -> Iterator[pa.RecordBatch]:
        hint = (
            "All values of a column must have the type of its first values. --text COLUMN keeps "
            "values as they are written; --encoding names the encoding of the file."
        )
        with _readable(path, hint):
            yield from reader

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _of_pictures(folder: Path, pictures: list[Path], options: Options) -> Source:
    names = sorted({picture.parent.name for picture in pictures if picture.parent != folder})
    names = _in_order_of(options.classes, names, folder)
    if names and any(picture.parent == folder for picture in pictures):
        raise UnreadableFileError(
            f"some images in {folder} are not inside a label folder",
            hint="Move each image into a folder that has the name of its label.",
        )
    whole, broken = readable_pictures(pictures)
    listed = ", ".join(
        f"{picture.relative_to(folder)} ({reason})" for picture, reason in broken[:MAX_LISTED]
    )
    listed += ", ..." if len(broken) > MAX_LISTED else ""
    if broken and not (options.skip_broken and whole):
        raise UnreadableFileError(
            f"{len(broken)} of {len(pictures)} images in {folder} cannot be read: {listed}",
            hint="Repair or remove them, or leave them out with --skip-broken.",
        )
    schema = picture_schema(names)
    return Source(
        folder,
        len(whole),
        "images",
        lambda moved: pa.RecordBatchReader.from_batches(
            schema, picture_batches(whole, names, schema, moved)
        ),
        notices=(f"{len(broken)} broken images were left out: {listed}",) if broken else (),
    )


def _in_order_of(classes: Sequence[str], names: list[str], folder: Path) -> list[str]:
    """Return the given classes, which must include ``names``; without any, the names."""
    if not classes or not names:
        return names
    if unknown := [name for name in names if name not in classes]:
        raise UnreadableFileError(
            f"{folder} has images of {', '.join(unknown)}, but the classes of this tag are "
            f"{', '.join(classes)}",
            hint="Numbers stand for classes, so all data of a tag need one list: drop the others "
            "and send everything again with --classes, or use another tag.",
        )
    return list(classes)


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
    except (pa.ArrowException, ValueError, OSError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableFileError(f"{path} cannot be read: {text}", hint) from error
