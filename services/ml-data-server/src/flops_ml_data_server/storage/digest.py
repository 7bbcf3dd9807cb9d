"""A hash of a table's content: equal for equal values, regardless of the batches.

Each column has its own hasher, which gets the buffers in the order of rows; offsets, bitmaps and
dictionaries depend on the batches and are normalised first. XXH3 runs at the speed of memory;
docs/adr/0028 explains why no cryptographic hash is needed.
"""

import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

_UNSIGNED = {1: pa.uint8(), 2: pa.uint16(), 4: pa.uint32(), 8: pa.uint64()}


class ContentDigest:
    """The digest of batches of one schema."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows = 0
        self._columns = [_ColumnDigest() for _ in schema]

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of ``batch``."""
        for digest, column in zip(self._columns, batch.columns, strict=True):
            digest.update(column, self._rows)
        self._rows += batch.num_rows

    def hexdigest(self) -> str:
        """Return 32 hex digits for the schema and all rows so far."""
        whole = xxh3_128()
        for field in self._schema:
            whole.update(f"{field.name}\0{field.type}\0".encode())
        for key, value in sorted((self._schema.metadata or {}).items()):
            whole.update(key + b"\0" + value + b"\0")
        whole.update(str(self._rows).encode())
        for column in self._columns:
            whole.update(column.digest())
        return whole.hexdigest()


class _ColumnDigest:
    """The hash of one column; nested columns have one for each level."""

    def __init__(self) -> None:
        self._own = xxh3_128()
        self._lengths = xxh3_128()
        self._nulls = xxh3_128()
        self._children: list[_ColumnDigest] = []
        self._child_rows = 0

    def digest(self) -> bytes:
        parts = [self._own.digest(), self._lengths.digest(), self._nulls.digest()]
        return b"".join([*parts, *(child.digest() for child in self._children)])

    def update(self, array: pa.Array, row: int) -> None:
        array = _plain(array)
        if array.null_count:
            self._nulls.update(_values(_null_rows(array, row)))
        if pa.types.is_struct(array.type):
            for index, child in enumerate(array.flatten()):
                self._child(index).update(child, row)
        elif _is_list(array.type):
            self._lengths.update(_values(pc.list_value_length(array).fill_null(0).cast(pa.int64())))
            items = array.flatten()
            self._child(0).update(items, self._child_rows)
            self._child_rows += len(items)
        else:
            self._update_leaf(array)

    def _update_leaf(self, array: pa.Array) -> None:
        kind = array.type
        if pa.types.is_null(kind):
            return
        if _has_heap(kind):
            self._lengths.update(_lengths(array))
            self._own.update(_heap(array))
        else:
            self._own.update(_values(array))

    def _child(self, index: int) -> "_ColumnDigest":
        while len(self._children) <= index:
            self._children.append(_ColumnDigest())
        return self._children[index]


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return any(is_a(kind) for is_a in lists)


def _plain(array: pa.Array) -> pa.Array:
    """Return the same values in the layout that is hashed; most arrays have it already."""
    if isinstance(array, pa.ExtensionArray):
        return _plain(array.storage)
    if pa.types.is_dictionary(array.type):
        return _plain(array.dictionary_decode())
    plain = _plain_type(array.type)
    return array if plain.equals(array.type) else array.cast(plain)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_map(kind):
        return pa.list_(pa.struct([kind.key_field, kind.item_field]))
    if types.is_boolean(kind):
        return pa.uint8()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if types.is_string_view(kind):
        return pa.large_string()
    return kind


def _null_rows(array: pa.Array, first_row: int) -> pa.Array:
    """Return the null rows. An entirely empty column takes one call instead of four."""
    if array.null_count == len(array):
        return pa.arange(first_row, first_row + len(array))
    return pc.add(pc.indices_nonzero(array.is_null()).cast(pa.int64()), first_row)


def _lengths(array: pa.Array) -> bytes | memoryview:
    """Return the length of each value as 64-bit integers; that of a null is 0."""
    if array.null_count == len(array):
        return bytes(8 * len(array))
    lengths = pc.binary_length(array)
    # Each call of a compute function costs more than hashing a small batch.
    lengths = lengths.fill_null(0) if array.null_count else lengths
    return _values(lengths.cast(pa.int64()))


def _has_heap(kind: pa.DataType) -> bool:
    types = pa.types
    small, large = (
        (types.is_binary, types.is_string),
        (types.is_large_binary, types.is_large_string),
    )
    return any(is_a(kind) for is_a in (*small, *large))


def _values(array: pa.Array) -> memoryview:
    """Return the bytes of a fixed-width array; a null counts as zero, whatever its bytes are."""
    width = array.type.byte_width
    if array.null_count:
        bare = array.view(_UNSIGNED.get(width) or pa.binary(width))
        array = bare.fill_null(0 if width in _UNSIGNED else bytes(width))
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return memoryview(b"")
    return memoryview(buffer)[array.offset * width : (array.offset + len(array)) * width]


def _heap(array: pa.Array) -> memoryview:
    """Return the bytes that an array's values share."""
    _, offsets, heap = array.buffers()
    if heap is None or len(array) == 0:
        return memoryview(b"")
    is_large = pa.types.is_large_binary(array.type) or pa.types.is_large_string(array.type)
    ends = memoryview(offsets).cast("q" if is_large else "i")
    return memoryview(heap)[ends[array.offset] : ends[array.offset + len(array)]]
