"""Converts messages to frames and back: each end has a ``Sender`` and an ``Assembler``.

A message is a ``HEAD`` frame (its description) and as many ``BODY`` frames as its arrays need, each
with its offset. Nothing is sent twice: arrays of the last message on a connection are referred to
by their position, and an interrupted transfer continues where the receiver stopped.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, Self

from flwr.app import Message

from flops_grid.errors import WireError
from flops_grid.wire.frames import (
    FRAME_BYTES,
    HEAD_BYTES,
    MAX_MESSAGE_BYTES,
    FrameKind,
    checksum_of,
    describe,
    frame,
    key_of,
    read_note,
    rebuild,
)

_LENGTH: Final = struct.Struct(">I")
_OFFSET: Final = struct.Struct(">Q")


@dataclass(frozen=True)
class Held:
    """The part of the message ``key`` that a receiver has after an interruption.

    ``reused`` are the buffers that it took from the previous message, ``received`` is the number of
    bytes of the others that have arrived.
    """

    key: str
    reused: tuple[int, ...]
    received: int

    def to_document(self) -> dict[str, Any]:
        """Return it for a greeting."""
        return {"key": self.key, "known": list(self.reused), "received": self.received}

    @classmethod
    def from_document(cls, document: Any) -> Self | None:
        """Read the other end's document; None is nothing. Raises ``WireError``."""
        if document is None:
            return None
        match document:
            case {"key": str(key), "known": list(reused), "received": int(received)}:
                if received >= 0 and all(type(i) is int and i >= 0 for i in reused):
                    return cls(key, tuple(reused), received)
            case _:
                pass
        raise WireError("a greeting has no valid description of what is held")

    def fits(self, sizes: Sequence[int]) -> bool:
        """Return whether this can be a part of a message with buffers of these sizes."""
        missing = sum(size for i, size in enumerate(sizes) if i not in self.reused)
        return all(i < len(sizes) for i in self.reused) and self.received <= missing


class Checksums:
    """The checksums of the last body: it goes to many clients, but is read once.

    Several threads may write at once, because they write the same values.
    """

    def __init__(self) -> None:
        self._last: tuple[list[bytes], dict[int, int]] = ([], {})

    def of(self, buffers: list[bytes]) -> dict[int, int]:
        """Return the reused checksums of these buffers' frames, by where in the body they begin."""
        last, checksums = self._last
        if len(last) != len(buffers) or any(a is not b for a, b in zip(last, buffers, strict=True)):
            checksums = {}
            self._last = (buffers, checksums)
        return checksums


class Sender:
    """The sending end of one connection.

    With ``checksums`` it sends one body to many receivers, which remember it: it refers to arrays
    of the last message.
    """

    def __init__(self, held: Held | None = None, checksums: Checksums | None = None) -> None:
        self._held = held
        self._checksums = checksums
        self._last: list[bytes] = []

    def frames(self, message: Message) -> Iterator[bytes]:
        """Give the frames of ``message`` one by one; its arrays are never copied as a whole."""
        head, buffers = describe(message)
        head["sizes"] = sizes = [len(buffer) for buffer in buffers]
        # An interrupted message continues as the first message of a connection, or never.
        held, self._held = self._held, None
        if held and held.key == key_of(head) and held.fits(sizes):
            reused, skip = dict.fromkeys(held.reused, -1), held.received
        else:
            reused, skip = self._known(buffers), 0
        head["known"], head["skip"] = list(reused.items()), skip
        if self._checksums:
            self._last = buffers
        body = [buffer for i, buffer in enumerate(buffers) if i not in reused]
        yield from _frames(head, body, skip, self._checksums.of(body) if self._checksums else {})

    def _known(self, buffers: list[bytes]) -> dict[int, int]:
        places = {id(buffer): place for place, buffer in enumerate(self._last)}
        return {i: places[id(it)] for i, it in enumerate(buffers) if id(it) in places}


def message_frames(message: Message) -> Iterator[bytes]:
    """Give the frames of a message on a connection of its own."""
    return Sender().frames(message)


def _frames(
    head: dict[str, Any], body: list[bytes], skip: int, checksums: dict[int, int]
) -> Iterator[bytes]:
    text = json.dumps(head).encode()
    if len(text) > HEAD_BYTES:
        raise WireError(f"a message's description has {len(text)} bytes; {HEAD_BYTES} is the most")
    start = [_LENGTH.pack(len(text)), text]
    if sum(map(len, body)) - skip <= FRAME_BYTES:
        yield frame(
            FrameKind.HEAD, *start, *(part for _, chunk in _cut(body, skip) for part in chunk)
        )
        return
    yield frame(FrameKind.HEAD, *start)
    for position, chunk in _cut(body, skip):
        parts: list[bytes | memoryview] = [_OFFSET.pack(position), *chunk]
        if position not in checksums:
            checksums[position] = checksum_of(FrameKind.BODY, *parts)
        yield frame(FrameKind.BODY, *parts, checksum=checksums[position])


def _cut(buffers: list[bytes], skip: int) -> Iterator[tuple[int, list[memoryview]]]:
    """Split the buffers, end to end, at multiples of ``FRAME_BYTES``, without copying them."""
    chunk: list[memoryview] = []
    begin = position = 0
    for buffer in buffers:
        rest = memoryview(buffer)
        while rest:
            piece = rest[: FRAME_BYTES - position % FRAME_BYTES]
            rest = rest[len(piece) :]
            position += len(piece)
            chunk.append(piece)
            if position % FRAME_BYTES == 0:
                if position > skip:
                    yield _without(chunk, begin, skip)
                chunk, begin = [], position
    if chunk and position > skip:
        yield _without(chunk, begin, skip)


def _without(chunk: list[memoryview], begin: int, skip: int) -> tuple[int, list[memoryview]]:
    """Return a chunk without the skipped bytes, and its offset in the body."""
    left, pieces = max(0, skip - begin), []
    for piece in chunk:
        if left < len(piece):
            pieces.append(piece[left:])
        left = max(0, left - len(piece))
    return max(begin, skip), pieces


@dataclass
class _Incoming:
    """A message that has begun to arrive; buffers that are still to come are None."""

    key: str
    head: dict[str, Any]
    sizes: list[int]
    reused: tuple[int, ...]
    buffers: list[bytes | None]
    received: int = 0
    current: BytesIO = field(default_factory=BytesIO)

    @property
    def missing(self) -> list[int]:
        return [i for i, buffer in enumerate(self.buffers) if buffer is None]

    def next_part(self, payload: memoryview) -> memoryview:
        """Return the bytes of a ``BODY``: its checksum covers where they begin."""
        if len(payload) < _OFFSET.size or _OFFSET.unpack_from(payload)[0] != self.received:
            raise WireError("a part of a message is not the one that comes next")
        return payload[_OFFSET.size :]

    def take(self, payload: memoryview) -> None:
        """Add the next bytes of the body."""
        self.received += len(payload)
        for i in self.missing:
            part = payload[: self.sizes[i] - self.current.tell()]
            payload = payload[len(part) :]
            self.current.write(part)
            if self.current.tell() < self.sizes[i]:
                return
            # ``getvalue`` does not copy.
            self.buffers[i] = self.current.getvalue()
            self.current = BytesIO()
        if len(payload):
            raise WireError("a message is longer than its head says")


class Assembler:
    """Assembles the frames of one sender to messages, in the order they come.

    It outlives a connection: after ``reconnected`` the next frame comes on a new one. With
    ``remembers`` it keeps the arrays of the last message, to which the next one may refer.
    """

    def __init__(
        self, max_message_bytes: int = MAX_MESSAGE_BYTES, *, remembers: bool = False
    ) -> None:
        self._max_message_bytes = max_message_bytes
        self._remembers = remembers
        self._incoming: _Incoming | None = None
        self._interrupted: _Incoming | None = None
        self._last: Sequence[bytes] = ()

    @property
    def arriving(self) -> int:
        """The size of the message that is arriving; 0 is none."""
        return sum(self._incoming.sizes) if self._incoming else 0

    def reconnected(self) -> Held | None:
        """Begin a new connection; return what is held from the previous one."""
        self._interrupted, self._incoming = self._incoming or self._interrupted, None
        self._last = ()
        last = self._interrupted
        return Held(last.key, last.reused, last.received) if last else None

    def feed(self, kind: FrameKind, payload: memoryview) -> Message | None:
        """Take a ``HEAD`` or ``BODY`` frame; return the message that it completes, if any."""
        if kind is FrameKind.HEAD:
            payload = self._begin(payload)
        elif kind is not FrameKind.BODY or self._incoming is None:
            raise WireError(f"{kind.name} is not what comes next")
        else:
            payload = self._incoming.next_part(payload)
        incoming = self._incoming
        assert incoming is not None  # noqa: S101 - for mypy: it has just begun
        incoming.take(payload)
        if incoming.missing:
            return None
        buffers = [buffer or b"" for buffer in incoming.buffers]
        self._incoming, self._last = None, buffers if self._remembers else ()
        return rebuild(incoming.head, buffers)

    def _begin(self, payload: memoryview) -> memoryview:
        if self._incoming is not None:
            raise WireError("a message begins before the last one has ended")
        if len(payload) < _LENGTH.size:
            raise WireError("a message's head is too short")
        (length,) = _LENGTH.unpack_from(payload)
        rest = payload[_LENGTH.size :]
        if length > min(len(rest), HEAD_BYTES):
            raise WireError("a message's head is not whole")
        head = read_note(rest[:length])
        interrupted, self._interrupted = self._interrupted, None
        if head.get("skip"):
            self._incoming = _resumed(head, interrupted)
        else:
            self._incoming = self._new(head)
        # From here on only this message refers to arrays of the last one.
        self._last = ()
        return rest[length:]

    def _new(self, head: dict[str, Any]) -> _Incoming:
        sizes = head.get("sizes")
        if not isinstance(sizes, list) or not all(type(n) is int and n >= 0 for n in sizes):
            raise WireError("a message's head has no sizes")
        if sum(sizes) > self._max_message_bytes:
            raise WireError(f"a message of {sum(sizes)} bytes is too large")
        reused = self._known(head.get("known"), sizes)
        buffers = [reused.get(i) for i in range(len(sizes))]
        return _Incoming(key_of(head), head, sizes, tuple(reused), buffers)

    def _known(self, listed: Any, sizes: list[int]) -> dict[int, bytes]:
        try:
            reused = {i: self._last[place] for i, place in listed or () if i >= 0 and place >= 0}
            if all(sizes[i] == len(buffer) for i, buffer in reused.items()):
                return reused
        except (TypeError, ValueError, IndexError) as error:
            raise WireError(f"a message refers to missing arrays: {error}") from error
        raise WireError("a message refers to arrays of other sizes")


def _resumed(head: dict[str, Any], interrupted: _Incoming | None) -> _Incoming:
    """Return the interrupted message, if the head repeats its description."""
    last = interrupted
    if (
        last is None
        or key_of(head) != last.key
        or (head.get("sizes"), head.get("skip")) != (last.sizes, last.received)
        or head.get("known") != [[i, -1] for i in last.reused]
    ):
        raise WireError("a message continues that never began")
    return last
