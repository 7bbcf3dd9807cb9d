"""The Parquet layout of a schema: codec and dictionaries of each column."""

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

ROW_GROUP_BYTES: Final = 16 * 2**20
"""Arrow bytes in a row group: the most that a writer holds, and that a reader skips."""
ROW_GROUP_ROWS: Final = 2**20
ZSTD_LEVEL: Final = 1


def writer_options(schema: pa.Schema, codec: str) -> dict[str, Any]:
    """Return the options for ``ParquetWriter``.

    Binary values are usually compressed pictures and sounds: compressing them again costs time
    and saves nothing. Dictionaries help where values repeat, which floats and blobs do not;
    floats compress better with byte stream split (figures in docs/adr/0028).
    """
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    blobs = {path for path, kind in leaves if _is_blob(kind)}
    floats = {path for path, kind in leaves if pa.types.is_floating(kind)}
    unique = blobs | floats
    options: dict[str, Any] = {
        "compression": {path: "none" if path in blobs else codec for path, _ in leaves},
        "use_dictionary": [path for path, _ in leaves if path not in unique] or False,
        "write_statistics": [path for path, _ in leaves if path not in blobs] or False,
        "use_byte_stream_split": sorted(floats) if codec != "none" else False,
        "write_page_checksum": True,
    }
    if codec == "zstd":
        options["compression_level"] = {path: ZSTD_LEVEL for path, _ in leaves if path not in blobs}
    return options


def _is_blob(kind: pa.DataType) -> bool:
    types = pa.types
    return any(
        is_a(kind) for is_a in (types.is_binary, types.is_large_binary, types.is_binary_view)
    )


def _leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Yield every Parquet column by its dotted path."""
    if isinstance(kind, pa.BaseExtensionType):
        yield from _leaves(path, kind.storage_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    elif pa.types.is_map(kind):
        yield from _leaves(f"{path}.key_value.key", kind.key_type)
        yield from _leaves(f"{path}.key_value.value", kind.item_type)
    elif (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    elif pa.types.is_dictionary(kind):
        yield from _leaves(path, kind.value_type)
    else:
        yield path, kind
