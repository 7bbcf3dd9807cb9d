"""CSV files in the formats that spreadsheets and devices write, recognised from their beginning."""

import codecs
import csv as standard_csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv

BLOCK_BYTES: Final = 4 * 2**20
"""pyarrow takes the types of columns from its first block, so this much is looked at before."""

SAMPLE_ROWS: Final = 1000
DELIMITERS: Final = (",", ";", "\t", "|")
FALLBACK_ENCODING: Final = "cp1252"

_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d+,\d+")
_LEADING_ZERO: Final = re.compile(r"0\d+")
_NUMBER: Final = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class CsvFormat:
    """How a CSV file is written. An empty value is recognised from the file."""

    delimiter: str = ""
    encoding: str = ""
    decimal: str = ""
    text_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class CsvSample:
    """The complete format of a file, its first rows as they are written, and what may surprise."""

    format: CsvFormat
    rows: tuple[tuple[str, ...], ...]
    notices: tuple[str, ...] = ()
    has_line_breaks_in_values: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in the first line."""
        return self.rows[0] if self.rows else ()


RECOGNISED: Final = CsvFormat()
"""The format of a file of which nothing is known."""


def sample_csv(path: Path, given: CsvFormat = RECOGNISED) -> CsvSample:
    """Return the format and the first rows of a CSV file, which may be compressed with gzip.

    What ``given`` states is not recognised again. Raises ``ValueError`` when the file cannot be
    read that way, and ``OSError``.
    """
    with pa.input_stream(str(path)) as stream:
        beginning: bytes = stream.read(BLOCK_BYTES)
    encoding = given.encoding or _encoding_of(beginning)
    text = _decode(beginning, encoding)
    is_whole = len(beginning) < BLOCK_BYTES
    delimiter = given.delimiter or _delimiter_of(text, is_whole=is_whole)
    rows, has_line_breaks = _parse(text, delimiter, is_whole=is_whole)
    body = rows[1:]
    decimal = given.decimal or _decimal_of(body, delimiter)
    complete = replace(given, delimiter=delimiter, encoding=encoding, decimal=decimal)
    _check_columns(rows, given.text_columns)
    return CsvSample(complete, rows, _notices(complete, rows, given), has_line_breaks)


def open_csv(stream: Any, sample: CsvSample) -> pa.RecordBatchReader:
    """Return the rows of ``stream``, a path or an open file, batch by batch."""
    options = csv.ParseOptions(
        delimiter=sample.format.delimiter, newlines_in_values=sample.has_line_breaks_in_values
    )
    conversion = csv.ConvertOptions(
        decimal_point=sample.format.decimal,
        column_types=dict.fromkeys(sample.format.text_columns, pa.string()),
    )
    blocks = csv.ReadOptions(block_size=BLOCK_BYTES, encoding=sample.format.encoding)
    return csv.open_csv(stream, blocks, options, conversion)


def read_csv(path: Path) -> pa.Table:
    """Return a whole CSV file as a table; raise ``ValueError`` or ``OSError``."""
    sample = sample_csv(path)
    with pa.input_stream(str(path)) as stream:
        return open_csv(stream, sample).read_all()


def _encoding_of(beginning: bytes) -> str:
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        _decode(beginning, "utf-8")
    except ValueError:
        return FALLBACK_ENCODING
    return "utf-8"


def _decode(beginning: bytes, encoding: str) -> str:
    """Decode a beginning that may end within a character."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(beginning).lstrip("\ufeff")
    except LookupError as error:
        raise ValueError(f"there is no encoding '{encoding}'") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not text in {encoding}: {error}") from error


def _delimiter_of(text: str, *, is_whole: bool) -> str:
    """Return the delimiter that gives each row the same number of values, more than one."""
    for delimiter in DELIMITERS:
        rows, _ = _parse(text, delimiter, is_whole=is_whole)
        if rows and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            return delimiter
    return DELIMITERS[0]


def _parse(
    text: str, delimiter: str, *, is_whole: bool
) -> tuple[tuple[tuple[str, ...], ...], bool]:
    """Return the first rows, without one that is cut off, and whether a value has line breaks."""
    # The standard library's own limit is less than a text or a vector in one value may have.
    standard_csv.field_size_limit(BLOCK_BYTES)
    reader = standard_csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [tuple(row) for row in islice(reader, SAMPLE_ROWS + 1) if row]
    except standard_csv.Error as error:
        raise ValueError(f"line {reader.line_num} is not CSV: {error}") from error
    if len(rows) <= SAMPLE_ROWS and not is_whole:
        rows = rows[:-1]
    has_line_breaks = any("\n" in value or "\r" in value for row in rows for value in row)
    return tuple(rows[:SAMPLE_ROWS]), has_line_breaks


def _decimal_of(body: Sequence[Sequence[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    for column in _columns(body):
        values = [value for value in column if value]
        if any(map(_DECIMAL_COMMA.fullmatch, values)) and all(map(_NUMBER.fullmatch, values)):
            return "." if any("." in value for value in values) else ","
    return "."


def _check_columns(rows: Sequence[Sequence[str]], text_columns: Sequence[str]) -> None:
    names = rows[0] if rows else ()
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"two columns have the name '{twice[0]}'")
    for name in text_columns:
        if name not in names:
            raise ValueError(f"there is no column '{name}'; it has: {', '.join(names)}")


def _notices(
    complete: CsvFormat, rows: Sequence[Sequence[str]], given: CsvFormat
) -> tuple[str, ...]:
    notices = []
    if complete.encoding == FALLBACK_ENCODING and not given.encoding:
        notices.append(f"It is not UTF-8 and was read as {FALLBACK_ENCODING}.")
    if rows and all(map(_NUMBER.fullmatch, rows[0])):
        notices.append("The first line has only numbers, but is taken as the names of columns.")
    for name, column in zip(rows[0] if rows else (), _columns(rows[1:]), strict=False):
        values = [value for value in column if value]
        is_text = name in given.text_columns or not all(map(_NUMBER.fullmatch, values))
        zeros = next(filter(_LEADING_ZERO.fullmatch, values), None)
        if zeros and not is_text:
            notices.append(f"Column '{name}' has values such as {zeros}, read as {int(zeros)}.")
    return tuple(notices)


def _columns(body: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    return list(zip(*body, strict=False))
