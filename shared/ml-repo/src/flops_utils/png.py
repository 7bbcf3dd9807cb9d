"""Many small PNG files of one kind at once, as arrays.

Pillow takes 40 to 140 microseconds for each file, whatever its size, most of it in Python. Here the
files are inflated one by one and unfiltered together, pixel by pixel over all pictures. Whatever
is unusual about a file (palettes, 16 bits, interlacing, extra chunks, damage) is left to Pillow.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

MAX_PIXELS: Final = 48 * 48
"""Above, Pillow's own loops are faster than its overhead is large."""

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Kind = tuple[int, int, int]
"""Height, width, and bytes of a pixel."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHUNK: Final = struct.Struct(">I4s")
_CHECKSUM: Final = struct.Struct(">I")
_CHANNELS: Final = {0: 1, 2: 3, 4: 2, 6: 4}
"""Grey, RGB, grey with alpha, RGBA; the other colour type is the palette."""
_FILTERS: Final = 5


def decode_all(encoded: Sequence[bytes]) -> Bytes | None:
    """Return all pictures, shaped as Pillow's arrays, or None if one is of another kind."""
    kind = _kind(encoded[0]) if encoded else None
    if kind is None:
        return None
    height, width, channels = kind
    line_bytes = 1 + width * channels
    lines = np.empty((len(encoded), height * line_bytes), np.uint8)
    header = encoded[0][8:33]
    for number, one in enumerate(encoded):
        inflated = _inflate(one, height * line_bytes) if one[8:33] == header else None
        if inflated is None:
            return None
        lines[number] = np.frombuffer(inflated, np.uint8)
    # Pictures go last, so that each step below works on bytes that lie side by side.
    by_line = np.ascontiguousarray(lines.reshape(-1, height, line_bytes).transpose(1, 2, 0))
    if by_line[:, 0].max() >= _FILTERS:
        return None
    shape = (height, width, channels) if channels > 1 else (height, width)
    pixels = _unfilter(by_line, channels).transpose(2, 0, 1)
    return np.ascontiguousarray(pixels).reshape(len(encoded), *shape)


def is_small(one: bytes) -> bool:
    """Say whether a file is worth giving to ``decode_all``."""
    return _kind(one) is not None


def _kind(one: bytes) -> Kind | None:
    """Return what a file's header says, if that is a kind that is decoded here."""
    if len(one) < 33 or not one.startswith(_SIGNATURE):  # the signature and the first chunk
        return None
    length, name, width, height, bits, colour, *methods, checksum = _unpacked(one)
    is_plain = (length, name, bits, methods) == (13, b"IHDR", 8, [0, 0, 0])
    if not is_plain or checksum != zlib.crc32(one[12:29]) or colour not in _CHANNELS:
        return None
    return (height, width, _CHANNELS[colour]) if 0 < width * height <= MAX_PIXELS else None


def _unpacked(one: bytes) -> tuple[Any, ...]:
    length, name = _CHUNK.unpack_from(one, 8)
    return length, name, *struct.unpack_from(">IIBBBBB", one, 16), _CHECKSUM.unpack_from(one, 29)[0]


def _inflate(one: bytes, expected: int) -> bytes | None:
    """Return the filtered lines of a file that holds nothing but them; None when in doubt."""
    data = []
    at = 33
    try:
        while (chunk := _CHUNK.unpack_from(one, at))[1] == b"IDAT":
            end = at + 8 + chunk[0]
            if zlib.crc32(one[at + 4 : end]) != _CHECKSUM.unpack_from(one, end)[0]:
                return None
            data.append(one[at + 8 : end])
            at = end + 4
        if chunk != (0, b"IEND"):
            return None
        inflater = zlib.decompressobj()
        # One byte more than expected is enough to see that there is more; a bomb stays packed.
        inflated = inflater.decompress(b"".join(data), expected + 1)
    except (struct.error, zlib.error):
        return None
    return inflated if inflater.eof and len(inflated) == expected else None


def _unfilter(lines: Bytes, channels: int) -> Bytes:
    """Undo PNG's filters: ``lines`` has a line's filter and bytes for each picture."""
    height, line_bytes, count = lines.shape
    pixels = np.empty((height, line_bytes - 1, count), np.uint8)
    above = np.zeros((line_bytes - 1, count), np.uint8)
    for number in range(height):
        filters = lines[number, 0]
        line = lines[number, 1:]
        for kind in range(_FILTERS):
            chosen = np.flatnonzero(filters == kind)
            if len(chosen) == count:
                pixels[number] = _UNDO[kind](line, above, channels)
            elif len(chosen):
                undone = _UNDO[kind](line[:, chosen], above[:, chosen], channels)
                pixels[number][:, chosen] = undone
        above = pixels[number]
    return pixels


def _undo_none(line: Bytes, _above: Bytes, _channels: int) -> Bytes:
    return line


def _undo_sub(line: Bytes, _above: Bytes, channels: int) -> Bytes:
    split = line.reshape(-1, channels, line.shape[1])
    return np.cumsum(split, axis=0, dtype=np.uint8).reshape(line.shape)


def _undo_up(line: Bytes, above: Bytes, _channels: int) -> Bytes:
    return line + above


def _undo_average(line: Bytes, above: Bytes, channels: int) -> Bytes:
    undone = np.empty_like(line)
    left = np.zeros((channels, line.shape[1]), np.uint8)
    for at in range(0, len(line), channels):
        here = slice(at, at + channels)
        # Half of a sum of two bytes, without leaving bytes.
        half = (left >> 1) + (above[here] >> 1) + (left & above[here] & 1)
        left = undone[here] = line[here] + half
    return undone


def _undo_paeth(line: Bytes, above: Bytes, channels: int) -> Bytes:
    undone = np.empty_like(line)
    left = np.zeros((channels, line.shape[1]), np.int16)
    corner = np.zeros_like(left)
    for at in range(0, len(line), channels):
        here = slice(at, at + channels)
        up = above[here].astype(np.int16)
        to_left, to_up = up - corner, left - corner
        to_corner = np.abs(to_left + to_up)
        to_left, to_up = np.abs(to_left), np.abs(to_up)
        best = np.where(to_up <= to_corner, up, corner)
        best = np.where((to_left <= to_up) & (to_left <= to_corner), left, best)
        undone[here] = line[here] + best.astype(np.uint8)
        left, corner = undone[here].astype(np.int16), up
    return undone


_UNDO: Final = (_undo_none, _undo_sub, _undo_up, _undo_average, _undo_paeth)
