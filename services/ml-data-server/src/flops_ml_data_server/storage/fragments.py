"""A complete fragment on disk: its footer, and its rows batch by batch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from flops_contracts.events import Fragment
from flops_flight.errors import InvalidRequestError, NoDataError
from flops_flight.names import FragmentName
from flops_ml_data_server.storage.digest import ContentDigest
from flops_ml_data_server.storage.uploads import DIGEST_KEY

BATCH_BYTES: Final = 4 * 2**20
SMALLEST_BATCH_BYTES: Final = 2**18
BATCHES: Final = 64
"""Batches per read: a reader holds a few beside the rows it keeps, so they must be small."""
MAX_BATCH_ROWS: Final = 65_536
READ_AHEAD_ROWS: Final = 1000
"""Reading fewer rows is not worth a thread."""


@dataclass(frozen=True)
class StoredFragment:
    """A fragment without its rows. ``digest`` is empty for files of other writers."""

    name: FragmentName
    path: Path
    rows: int
    bytes: int
    schema: pa.Schema
    digest: str = ""

    @property
    def summary(self) -> Fragment:
        """The name and the size, as clients see them."""
        return Fragment(str(self.name), self.rows, self.bytes)


def read_footer(name: FragmentName, path: Path) -> StoredFragment:
    """Return the fragment in ``path``; raises Arrow's errors if it is not a Parquet file."""
    with pq.ParquetFile(path) as file:
        metadata = file.metadata.metadata or {}
        return StoredFragment(
            name=name,
            path=path,
            rows=file.metadata.num_rows,
            bytes=path.stat().st_size,
            schema=file.schema_arrow,
            digest=metadata.get(DIGEST_KEY, b"").decode(),
        )


def content_digest(fragment: StoredFragment) -> str:
    """Return the digest of the content, from the footer or, for files of others, by reading."""
    if fragment.digest:
        return fragment.digest
    digest = ContentDigest(fragment.schema)
    for batch in read_rows(fragment):
        digest.update(batch)
    return digest.hexdigest()


def read_rows(
    fragment: StoredFragment,
    offset: int = 0,
    rows: int | None = None,
    batch_bytes: int = BATCH_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Return the requested rows in batches of ``batch_bytes`` or less.

    A fragment that is dropped meanwhile is read to its end. Raises ``InvalidRequestError`` at
    once if the rows do not exist, and ``NoDataError`` while reading a damaged file.
    """
    end = fragment.rows if rows is None else offset + rows
    if offset > fragment.rows or end > fragment.rows:
        raise InvalidRequestError(
            f"{fragment.name} has {fragment.rows} rows; requested rows {offset} to {end}"
        )
    batches = _batches(_opened(fragment), fragment, offset, end, batch_bytes)
    return _read_ahead(batches) if end - offset > READ_AHEAD_ROWS else batches


def _opened(fragment: StoredFragment) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(fragment.path, memory_map=True, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise NoDataError(f"there is no fragment {fragment.name}") from error
    except (pa.ArrowException, OSError) as error:
        raise _damaged(fragment) from error


def _batches(
    file: pq.ParquetFile, fragment: StoredFragment, offset: int, end: int, batch_bytes: int
) -> Iterator[pa.RecordBatch]:
    groups, row = _groups(file.metadata, offset, end)
    batch_rows = _batch_rows(file.metadata, end - offset, batch_bytes)
    with file:
        try:
            for batch in file.iter_batches(batch_rows, groups):
                first, last = max(offset - row, 0), min(end - row, batch.num_rows)
                row += batch.num_rows
                if first < last:
                    yield batch.slice(first, last - first)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(fragment) from error


def _read_ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Decode the next batch while the previous one is sent."""
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        upcoming = pool.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = pool.submit(next, batches, None)
            yield batch


def _groups(metadata: pq.FileMetaData, offset: int, end: int) -> tuple[list[int], int]:
    """Return the row groups with the rows, and the index of their first row."""
    groups: list[int] = []
    first_row, row = 0, 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if row + rows <= offset:
            first_row = row + rows
        elif row < end:
            groups.append(group)
        row += rows
    return groups, first_row


def _batch_rows(metadata: pq.FileMetaData, requested_rows: int, batch_bytes: int) -> int:
    size = sum(
        metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
    )
    row_bytes: int = max(1, size // max(1, metadata.num_rows))
    share_bytes = max(SMALLEST_BATCH_BYTES, requested_rows * row_bytes // BATCHES)
    return max(1, min(MAX_BATCH_ROWS, min(batch_bytes, share_bytes) // row_bytes))


def _damaged(fragment: StoredFragment) -> NoDataError:
    return NoDataError(
        f"the file of {fragment.name} is damaged",
        hint="Drop the fragment and send its data again.",
    )
