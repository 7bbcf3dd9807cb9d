"""Many small PNG files of one kind at once, as arrays.

Pillow takes 40 to 140 microseconds for each file of any size, most of it in Python. Here the files
are inflated one by one and unfiltered together, pixel by pixel over all pictures. Unusual files
(palettes, 16 bits, interlacing, extra chunks, damage) are left to Pillow.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

MAX_PIXELS: Final = 48 * 48
"""For larger pictures, Pillow is faster despite its overhead."""

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
    for number, file in enumerate(encoded):
        inflated = _inflate(file, height * line_bytes) if file[8:33] == header else None
        if inflated is None:
            return None
        lines[number] = np.frombuffer(inflated, np.uint8)
    # The axis of pictures comes last, so that each step below works on adjacent bytes.
    by_line = np.ascontiguousarray(lines.reshape(-1, height, line_bytes).transpose(1, 2, 0))
    if by_line[:, 0].max() >= _FILTERS:
        return None
    shape = (height, width, channels) if channels > 1 else (height, width)
    pixels = _unfilter(by_line, channels).transpose(2, 0, 1)
    return np.ascontiguousarray(pixels).reshape(len(encoded), *shape)


def is_small(file: bytes) -> bool:
    """Return whether a file is suitable for ``decode_all``."""
    return _kind(file) is not None


def _kind(file: bytes) -> Kind | None:
    """Return the kind in a file's header, if it is decoded here."""
    if len(file) < 33 or not file.startswith(_SIGNATURE):  # the signature and the first chunk
        return None
    length, name, width, height, bits, colour, *methods, checksum = _unpacked(file)
    is_plain = (length, name, bits, methods) == (13, b"IHDR", 8, [0, 0, 0])
    if not is_plain or checksum != zlib.crc32(file[12:29]) or colour not in _CHANNELS:
        return None
    return (height, width, _CHANNELS[colour]) if 0 < width * height <= MAX_PIXELS else None


def _unpacked(file: bytes) -> tuple[Any, ...]:
    length, name = _CHUNK.unpack_from(file, 8)
    fields = struct.unpack_from(">IIBBBBB", file, 16)
    return length, name, *fields, _CHECKSUM.unpack_from(file, 29)[0]


def _inflate(file: bytes, expected: int) -> bytes | None:
    """Return the filtered lines of a file; None if it holds anything else or is damaged."""
    data = []
    at = 33
    try:
        while (chunk := _CHUNK.unpack_from(file, at))[1] == b"IDAT":
            end = at + 8 + chunk[0]
            if zlib.crc32(file[at + 4 : end]) != _CHECKSUM.unpack_from(file, end)[0]:
                return None
            data.append(file[at + 8 : end])
            at = end + 4
        if chunk != (0, b"IEND"):
            return None
        inflater = zlib.decompressobj()
        # One byte more than expected shows that there is more, without inflating a zip bomb.
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
            of_kind = np.flatnonzero(filters == kind)
            if len(of_kind) == count:
                pixels[number] = _UNDO[kind](line, above, channels)
            elif len(of_kind):
                undone = _UNDO[kind](line[:, of_kind], above[:, of_kind], channels)
                pixels[number][:, of_kind] = undone
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
