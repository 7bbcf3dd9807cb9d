"""Checksummed frames, and Flower's messages as a description and buffers.

A frame has one byte for its kind, four for the CRC-32 of all other bytes, and a payload. Malformed
input raises ``WireError``. ``transfer`` converts messages to frames.
"""

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, Final

from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from flops_grid.errors import WireError
from flops_grid.messages.flower_internals import message_with_metadata, metadata_values

PROTOCOL: Final = 3
# A heartbeat waits for the frame before it: on a line of 1 Mbit/s one of this size takes 2 s.
FRAME_BYTES: Final = 256 * 1024
HEAD_BYTES: Final = 4 * 1024 * 1024
MAX_GRPC_MESSAGE_BYTES: Final = FRAME_BYTES + HEAD_BYTES + 1024
MAX_MESSAGE_BYTES: Final = 16 * 1024**3

_FRAME: Final = struct.Struct(">BI")


class FrameKind(IntEnum):
    """The kind of a frame."""

    HELLO = 1
    WELCOME = 2
    HEAD = 3
    BODY = 4
    ACKNOWLEDGE = 5
    LEAVE = 6
    GOODBYE = 7
    BEAT = 8


# The kind is part of the checksum, too.
_START: Final = {kind: zlib.crc32(bytes([kind])) for kind in FrameKind}


def frame(kind: FrameKind, *parts: bytes | memoryview, checksum: int | None = None) -> bytes:
    """Return one frame that holds ``parts``; ``checksum`` is theirs if it is known already."""
    checksum = checksum_of(kind, *parts) if checksum is None else checksum
    return b"".join((_FRAME.pack(kind, checksum), *parts))


def checksum_of(kind: FrameKind, *parts: bytes | memoryview) -> int:
    """Return the checksum of a frame that holds ``parts``."""
    checksum = _START[kind]
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return checksum


def read_frame(data: bytes) -> tuple[FrameKind, memoryview]:
    """Return the kind and the payload of a frame; raise ``WireError``."""
    if not isinstance(data, bytes) or len(data) < _FRAME.size:
        raise WireError("a frame is too short")
    kind, checksum = _FRAME.unpack_from(data)
    payload = memoryview(data)[_FRAME.size :]
    if zlib.crc32(payload, zlib.crc32(data[:1])) != checksum:
        raise WireError("a frame's checksum is wrong")
    try:
        return FrameKind(kind), payload
    except ValueError as error:
        raise WireError(f"a frame of the unknown kind {kind}") from error


def note(kind: FrameKind, document: dict[str, Any]) -> bytes:
    """Return a frame that holds a small JSON document."""
    return frame(kind, json.dumps(document).encode())


def read_note(payload: memoryview) -> dict[str, Any]:
    """Return the JSON document that a frame holds; raise ``WireError``."""
    try:
        document = json.loads(bytes(payload))
    except (ValueError, RecursionError) as error:
        raise WireError(f"a frame does not hold JSON: {error}") from error
    if not isinstance(document, dict):
        raise WireError("a frame does not hold a JSON object")
    return document


def describe(message: Message) -> tuple[dict[str, Any], list[bytes]]:
    """Return a message without its arrays, and the arrays' bytes, which are not copied."""
    head: dict[str, Any] = {"metadata": metadata_values(message)}
    buffers: list[bytes] = []
    if message.has_error():
        head["error"] = [message.error.code, message.error.reason]
    else:
        head["records"] = [
            [name, *_describe_record(record, buffers)] for name, record in message.content.items()
        ]
    return head, buffers


def key_of(head: dict[str, Any]) -> str:
    """Return the key of a transfer: the message's id, or that of the message it replies to."""
    metadata = head.get("metadata")
    if not isinstance(metadata, dict):
        raise WireError("a message has no metadata")
    return str(metadata.get("reply_to_message_id") or metadata.get("message_id"))


def size_of(message: Message) -> int:
    """Return how many bytes the arrays of a message have."""
    if message.has_error():
        return 0
    # Never by ``array_records``, which makes a reference cycle.
    records = [record for record in message.content.values() if isinstance(record, ArrayRecord)]
    return sum(len(array.data) for record in records for array in record.values())


def _describe_record(
    record: ArrayRecord | MetricRecord | ConfigRecord, buffers: list[bytes]
) -> tuple[str, Any]:
    if isinstance(record, ArrayRecord):
        buffers.extend(array.data for array in record.values())
        return "arrays", [[key, a.dtype, list(a.shape), a.stype] for key, a in record.items()]
    kind = "metrics" if isinstance(record, MetricRecord) else "config"
    return kind, [[key, _plain(value)] for key, value in record.items()]


def rebuild(head: dict[str, Any], buffers: Sequence[bytes]) -> Message:
    """Return the message of a description and buffers; raise ``WireError``."""
    try:
        return _read_head(head, buffers)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise WireError(f"a message cannot be read: {type(error).__name__}: {error}") from error


def _read_head(head: dict[str, Any], buffers: Sequence[bytes]) -> Message:
    metadata = head["metadata"]
    if "error" in head:
        code, reason = head["error"]
        return message_with_metadata(Error(int(code), str(reason)), metadata)
    content = RecordDict()
    remaining = iter(buffers)
    for name, kind, items in head["records"]:
        content[name] = _read_record(kind, items, remaining)
    if next(remaining, None) is not None:
        raise ValueError("more arrays than records")
    return message_with_metadata(content, metadata)


def _read_record(
    kind: str, items: list[Any], buffers: Iterator[bytes]
) -> ArrayRecord | MetricRecord | ConfigRecord:
    if kind == "arrays":
        return ArrayRecord({item[0]: _read_array(item, buffers) for item in items})
    values = {key: _rich(value) for key, value in items}
    if kind == "metrics":
        return MetricRecord(values)
    if kind == "config":
        return ConfigRecord(values)
    raise ValueError(f"no such record: {kind}")


def _read_array(item: list[Any], buffers: Iterator[bytes]) -> Array:
    _, dtype, shape, stype = item
    data = next(buffers, None)
    if data is None:
        raise ValueError("fewer arrays than records")
    return Array(dtype, tuple(shape), stype, data)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["bytes"], validate=True)
    if isinstance(value, list):
        return [_rich(item) for item in value]
    return value
