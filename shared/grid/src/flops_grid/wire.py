"""How a message of Flower's travels: in checksummed frames of at most a few MB.

A frame is one byte for its kind, four for the CRC-32 of all the others, and what it holds.
A message is a ``HEAD`` frame (its description as JSON, and the first bytes of its arrays) and as
many ``BODY`` frames as its arrays need. Nothing here is trusted: what is wrong is a ``WireError``.
"""

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Final

from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from flops_grid.errors import WireError
from flops_grid.flower_internals import message_with_metadata, metadata_values

PROTOCOL: Final = 1
FRAME_BYTES: Final = 2 * 1024 * 1024
HEAD_BYTES: Final = 4 * 1024 * 1024
MAX_GRPC_MESSAGE_BYTES: Final = FRAME_BYTES + HEAD_BYTES + 1024
MAX_MESSAGE_BYTES: Final = 16 * 1024**3

_FRAME: Final = struct.Struct(">BI")
_HEAD: Final = struct.Struct(">I")


class FrameKind(IntEnum):
    """What a frame is."""

    HELLO = 1
    WELCOME = 2
    HEAD = 3
    BODY = 4
    ACKNOWLEDGE = 5
    LEAVE = 6
    GOODBYE = 7


# The kind is part of the checksum, too.
_START: Final = {kind: zlib.crc32(bytes([kind])) for kind in FrameKind}


def frame(kind: FrameKind, *parts: bytes | memoryview) -> bytes:
    """Return one frame that holds ``parts``."""
    checksum = _START[kind]
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return b"".join((_FRAME.pack(kind, checksum), *parts))


def read_frame(data: bytes) -> tuple[FrameKind, memoryview]:
    """Return the kind of a frame and what it holds; raise ``WireError``."""
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
        raise WireError(f"a frame holds no JSON: {error}") from error
    if not isinstance(document, dict):
        raise WireError("a frame holds no JSON object")
    return document


def message_frames(message: Message) -> Iterator[bytes]:
    """Give the frames of ``message`` one by one; its arrays are never copied as a whole."""
    head, buffers = _describe(message)
    if len(head) > HEAD_BYTES:
        raise WireError(f"a message's description has {len(head)} bytes; {HEAD_BYTES} is the most")
    chunks = _chunks(buffers)
    first = next(chunks, [])
    yield frame(FrameKind.HEAD, _HEAD.pack(len(head)), head, *first)
    for chunk in chunks:
        yield frame(FrameKind.BODY, *chunk)


class Assembler:
    """Puts one connection's frames together to messages, in the order they come."""

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_message_bytes = max_message_bytes
        self._head: dict[str, Any] | None = None
        self._sizes: list[int] = []
        self._buffers: list[bytes] = []
        self._pieces: list[memoryview] = []

    def feed(self, kind: FrameKind, payload: memoryview) -> Message | None:
        """Take a ``HEAD`` or ``BODY`` frame; return the message that it completes, if any."""
        if kind is FrameKind.HEAD:
            payload = self._begin(payload)
        elif self._head is None:
            raise WireError("a message begins in its middle")
        self._fill(payload)
        if len(self._buffers) < len(self._sizes):
            return None
        head, buffers = self._head, self._buffers
        self._head, self._sizes, self._buffers = None, [], []
        return _rebuild(head, buffers)

    def _begin(self, payload: memoryview) -> memoryview:
        if self._head is not None:
            raise WireError("a message begins before the last one has ended")
        if len(payload) < _HEAD.size:
            raise WireError("a message's head is too short")
        (length,) = _HEAD.unpack_from(payload)
        rest = payload[_HEAD.size :]
        if length > min(len(rest), HEAD_BYTES):
            raise WireError("a message's head is not whole")
        head = read_note(rest[:length])
        sizes = head.get("sizes")
        if not isinstance(sizes, list) or not all(type(n) is int and n >= 0 for n in sizes):
            raise WireError("a message's head has no sizes")
        if sum(sizes) > self._max_message_bytes:
            raise WireError(f"a message of {sum(sizes)} bytes is too large")
        self._head, self._sizes, self._buffers, self._pieces = head, sizes, [], []
        return rest[length:]

    def _fill(self, payload: memoryview) -> None:
        while len(self._buffers) < len(self._sizes):
            missing = self._sizes[len(self._buffers)] - sum(map(len, self._pieces))
            if missing > len(payload):
                if len(payload):
                    self._pieces.append(payload)
                return
            self._buffers.append(b"".join((*self._pieces, payload[:missing])))
            self._pieces = []
            payload = payload[missing:]
        if len(payload):
            raise WireError("a message is longer than its head says")


def _chunks(buffers: list[bytes]) -> Iterator[list[memoryview]]:
    """Cut the buffers, end to end, into pieces of ``FRAME_BYTES`` without copying them."""
    chunk: list[memoryview] = []
    room = FRAME_BYTES
    for buffer in buffers:
        rest = memoryview(buffer)
        while rest:
            chunk.append(rest[:room])
            taken = len(chunk[-1])
            rest, room = rest[taken:], room - taken
            if room == 0:
                yield chunk
                chunk, room = [], FRAME_BYTES
    if chunk:
        yield chunk


def _describe(message: Message) -> tuple[bytes, list[bytes]]:
    head: dict[str, Any] = {"metadata": metadata_values(message), "sizes": []}
    buffers: list[bytes] = []
    if message.has_error():
        head["error"] = [message.error.code, message.error.reason]
    else:
        head["records"] = [
            [name, *_describe_record(record, buffers)] for name, record in message.content.items()
        ]
    head["sizes"] = [len(buffer) for buffer in buffers]
    return json.dumps(head).encode(), buffers


def _describe_record(
    record: ArrayRecord | MetricRecord | ConfigRecord, buffers: list[bytes]
) -> tuple[str, Any]:
    if isinstance(record, ArrayRecord):
        buffers.extend(array.data for array in record.values())
        return "arrays", [[key, a.dtype, list(a.shape), a.stype] for key, a in record.items()]
    kind = "metrics" if isinstance(record, MetricRecord) else "config"
    return kind, [[key, _plain(value)] for key, value in record.items()]


def _rebuild(head: dict[str, Any] | None, buffers: list[bytes]) -> Message:
    try:
        return _read_head(head or {}, buffers)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise WireError(f"a message cannot be read: {type(error).__name__}: {error}") from error


def _read_head(head: dict[str, Any], buffers: list[bytes]) -> Message:
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
