"""Uploads over Flight's wire protocol by hand, for tests of what no library would send."""

from collections.abc import Iterable, Iterator

import grpc
import pyarrow as pa

_DESCRIPTOR, _HEADER, _BODY = 1, 2, 1000
_PATH_KIND = b"\x08\x01"


def put(address: str, messages: Iterable[bytes], timeout_seconds: float = 20) -> None:
    """Send messages of DoPut; raise ``grpc.RpcError`` when the server refuses them."""
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(
            "/arrow.flight.protocol.FlightService/DoPut",
            request_serializer=bytes,
            response_deserializer=bytes,
        )
        list(call(iter(messages), timeout=timeout_seconds))


def upload_of(name: str, batch: pa.RecordBatch, body: bytes) -> Iterator[bytes]:
    """Yield an upload by name whose one batch has another ``body`` than Arrow made."""
    described = _PATH_KIND + _field(3, name.encode())
    schema = pa.ipc.read_message(batch.schema.serialize())
    yield _field(_DESCRIPTOR, described) + _field(_HEADER, schema.metadata.to_pybytes())
    header = pa.ipc.read_message(batch.serialize()).metadata.to_pybytes()
    yield _field(_HEADER, header) + _field(_BODY, body)


def body_of(batch: pa.RecordBatch) -> bytes:
    """Return the buffers of a batch as Arrow sends them."""
    return pa.ipc.read_message(batch.serialize()).body.to_pybytes()


def _field(number: int, value: bytes) -> bytes:
    """Return a field of Protocol Buffers that holds bytes."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    coded = bytearray()
    while value > 0x7F:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*coded, value])
