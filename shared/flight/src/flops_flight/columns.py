"""The meaning of columns beyond their types, and the types that learners can load.

Tables that are joined must agree in both. A class label is a number, and which class it means only
the schema's metadata say; joined by type alone, class 0 of one table would be class 1 of another.
See docs/adr/0057.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

import pyarrow as pa

FIELD_FACTS: Final = ("unit", "units", "encoding", "shape")
"""Keys of a field's own metadata that are part of its meaning."""

SHOWN_CLASSES: Final = 20
_FEATURES: Final = b"huggingface"
_EXTENSION: Final = b"ARROW:extension:name"
_OF_ARROW: Final = "arrow."
"""Extension types of Arrow itself, which learners' libraries recognise; others are mere storage."""

_LOADABLE_OF_ARROW: Final = frozenset({"arrow.json"})


def classes_of(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Return the names of the classes of each column of labels, in the order of their numbers."""
    features = _features_of(schema)
    return {
        name: tuple(map(str, features[name]["names"]))
        for name in schema.names
        if isinstance(features.get(name), Mapping)
        and isinstance(features[name].get("names"), list)
        and features[name].get("_type") == "ClassLabel"
    }


def described(schema: pa.Schema) -> dict[str, str]:
    """Return the type of each column, and in brackets what its values mean if that is known."""
    classes = classes_of(schema)
    descriptions = {}
    for field in schema:
        facts = [f"classes {_shown(classes[field.name])}"] if field.name in classes else []
        metadata = field.metadata or {}
        facts += [
            f"{key} {metadata[key.encode()].decode(errors='replace')}"
            for key in FIELD_FACTS
            if key.encode() in metadata
        ]
        meaning = f" ({'; '.join(facts)})" if facts else ""
        descriptions[field.name] = f"{field.type}{meaning}"
    return descriptions


def difference(first: pa.Schema, other: pa.Schema, names: tuple[str, str]) -> str:
    """Return in words why tables cannot be joined, with their ``names``; empty if they can."""
    columns, others = described(first), described(other)
    for name in (*columns, *others):
        if name not in columns or name not in others:
            has, has_not = names if name in columns else names[::-1]
            return f"'{name}' is a column of {has}, but not of {has_not}"
        if columns[name] != others[name]:
            return f"'{name}' is {columns[name]} in {names[0]}, but {others[name]} in {names[1]}"
    if list(columns) != list(others):
        return f"the columns of {names[0]} and {names[1]} have different orders"
    return ""


def unloadable(schema: pa.Schema) -> Iterator[pa.Field]:
    """Yield the columns whose type ``load_dataset`` cannot read."""
    for field in schema:
        extension = (field.metadata or {}).get(_EXTENSION, b"").decode(errors="replace")
        if not _is_loadable(field.type) or not _is_loadable_extension(extension):
            yield field


def _is_loadable(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _is_loadable_extension(kind.extension_name) and _is_loadable(kind.storage_type)
    if pa.types.is_struct(kind):
        return all(_is_loadable(field.type) for field in kind.fields)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if is_list or pa.types.is_fixed_size_list(kind) or pa.types.is_dictionary(kind):
        return _is_loadable(kind.value_type)
    return not (
        pa.types.is_nested(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_interval(kind)
        or pa.types.is_run_end_encoded(kind)
    )


def _is_loadable_extension(name: str) -> bool:
    return not name.startswith(_OF_ARROW) or name in _LOADABLE_OF_ARROW


def _features_of(schema: pa.Schema) -> Mapping[str, Any]:
    """Return Hugging Face's description of the columns; empty if there is none to read."""
    try:
        document = json.loads((schema.metadata or {}).get(_FEATURES, b"{}"))
        features = document["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return features if isinstance(features, Mapping) else {}


def _shown(names: tuple[str, ...]) -> str:
    """Return the names; of many the first, and a digest that tells such lists apart."""
    if len(names) <= SHOWN_CLASSES:
        return ", ".join(names)
    digest = sha256(json.dumps(names).encode()).hexdigest()[:8]
    return f"{', '.join(names[:SHOWN_CLASSES])}, ... ({len(names)} in all, digest {digest})"
