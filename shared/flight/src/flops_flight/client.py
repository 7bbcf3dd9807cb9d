"""The client of one data server. Every call has a timeout and raises errors of ``errors``."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
from pyarrow import flight

from flops_contracts.events import Fragment
from flops_flight.columns import difference
from flops_flight.errors import (
    TRANSPORT_ERRORS,
    DataServerUnreachableError,
    NoDataError,
    UnlikeDataError,
    error_from_flight,
)
from flops_flight.landing import Landing
from flops_flight.messages import (
    CLAIM,
    DROP,
    HEALTH,
    STATS,
    Claim,
    Identity,
    NodeData,
    Part,
    Share,
    Upload,
    UploadEnd,
    decode,
    encode,
    encode_criteria,
    encode_ticket,
)

CALL_TIMEOUT_SECONDS: Final = 30.0
TRANSFER_TIMEOUT_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 0.2
NOBODY: Final = Identity()
BATCH_BYTES: Final = 8 * 2**20
"""Size of a message with rows; both ends hold a few of these at a time."""


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


class DataServer:
    """A data server by ``host:port``. The connection is made by the first call.

    The certificate of an authority, ``ca`` (PEM), turns TLS on; ``token`` is for servers that
    require one. ``identity`` names the caller for the rules of tags and for the audit log.
    """

    def __init__(
        self,
        address: str,
        token: str = "",
        *,
        ca: str = "",
        identity: Identity = NOBODY,
        call_timeout_seconds: float = CALL_TIMEOUT_SECONDS,
        transfer_timeout_seconds: float = TRANSFER_TIMEOUT_SECONDS,
        pause: Callable[[float], None] = _pause,
    ) -> None:
        self.address = address
        self._token = token
        self._ca = ca
        self._identity = identity
        self._call_timeout_seconds = call_timeout_seconds
        self._transfer_timeout_seconds = transfer_timeout_seconds
        self._pause = pause
        self._connection: flight.FlightClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def wait_until_reachable(self, timeout_seconds: float) -> None:
        """Return once the server answers; raise ``DataServerUnreachableError`` if it does not."""
        end = time.monotonic() + timeout_seconds
        while True:
            try:
                return self.health(timeout_seconds=min(5.0, timeout_seconds))
            except DataServerUnreachableError:
                if time.monotonic() > end:
                    raise
                self.close()
                self._pause(RETRY_SECONDS)

    def health(self, timeout_seconds: float | None = None) -> None:
        """Return if the server works; else raise."""
        self._act(HEALTH, b"", timeout_seconds)

    def list_fragments(self, tags: tuple[str, ...] | None = None) -> tuple[Fragment, ...]:
        """Return the complete fragments with one of ``tags`` (None: all), sorted by name."""
        with self._translated():
            fragments = [
                Fragment(info.descriptor.path[0].decode(), info.total_records, info.total_bytes)
                for info in self._flight().list_flights(encode_criteria(tags), self._options())
            ]
        return tuple(sorted(fragments, key=lambda fragment: fragment.name))

    def upload(self, tag: str, data: pa.Table | pa.RecordBatchReader) -> Fragment:
        """Store ``data`` under ``tag``; uploading the same content again succeeds, too.

        A reader is streamed batch by batch, so the data need not fit in memory. The server answers
        with the name, which it derives from the content; a cancelled upload leaves nothing behind.
        """
        batches = batches_of(data) if isinstance(data, pa.Table) else data
        descriptor = flight.FlightDescriptor.for_command(encode(Upload(tag)))
        with self._translated():
            writer, answers = self._flight().do_put(
                descriptor, data.schema, self._options(self._transfer_timeout_seconds)
            )
            answer = _send(writer, answers, batches)
        return decode(Fragment, answer)

    def download(self, name: str) -> pa.Table:
        """Return a whole fragment, with the schema's metadata of the upload."""
        return self._read(Part(name))

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a fragment, with the metadata of the upload."""
        with self._translated():
            descriptor = flight.FlightDescriptor.for_path(name)
            return self._flight().get_schema(descriptor, self._options()).schema

    def reader(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the batches of ``part`` as they arrive."""
        with self._translated():
            stream = self._open(part)
            for chunk in stream:
                yield chunk.data

    def claim(
        self, project_id: str, learner_index: int, node_learners: int, tags: tuple[str, ...]
    ) -> Share:
        """Return this learner's share; repeated claims return the same share."""
        body = encode(Claim(project_id, learner_index, node_learners, tags))
        return decode(Share, self._act(CLAIM, body))

    def read_share(self, share: Share, memory_bytes: int = 0) -> pa.Table:
        """Return the rows of ``share`` as one table, without copying batches.

        Data beyond ``memory_bytes`` (0: half of the free memory) are mapped from an unnamed file,
        which leaves nothing behind.
        """
        landing: Landing | None = None
        first: pa.Schema | None = None
        for part in share.parts:
            with self._translated():
                stream = self._open(part)
                first = first or stream.schema
                names = (share.parts[0].name, part.name)
                if unlike := difference(first, stream.schema, names):
                    stream.cancel()
                    raise UnlikeDataError(
                        f"the data do not fit together: {unlike}",
                        hint="Give data of another kind a tag of its own.",
                    )
                landing = landing or Landing(first, memory_bytes)
                for chunk in stream:
                    landing.append(chunk.data)
        if landing is None:
            raise NoDataError("this share has no rows")
        return landing.table()

    def stats(self) -> NodeData:
        """Return a summary of the node's data: tags, rows, bytes, columns."""
        return decode(NodeData, self._act(STATS, b""))

    def drop(self, name: str) -> None:
        """Remove a fragment; raise ``NoDataError`` if it does not exist."""
        self._act(DROP, name.encode())

    def _read(self, part: Part) -> pa.Table:
        with self._translated():
            return self._open(part).read_all()

    def _open(self, part: Part) -> flight.FlightStreamReader:
        ticket = flight.Ticket(encode_ticket(part))
        return self._flight().do_get(ticket, self._options(self._transfer_timeout_seconds))

    def _act(self, action: str, body: bytes, timeout_seconds: float | None = None) -> bytes:
        with self._translated():
            call = flight.Action(action, body)
            results = list(self._flight().do_action(call, self._options(timeout_seconds)))
        return bytes(results[0].body) if results else b""

    def _options(self, timeout_seconds: float | None = None) -> flight.FlightCallOptions:
        headers = [(b"authorization", b"Bearer " + self._token.encode())] if self._token else []
        headers += self._identity.headers()
        return flight.FlightCallOptions(
            timeout=timeout_seconds or self._call_timeout_seconds, headers=headers
        )

    def _flight(self) -> flight.FlightClient:
        if self._connection is None:
            scheme = "grpc+tls" if self._ca else "grpc"
            # A proxy from the environment must not get between a learner and its own node.
            options: dict[str, Any] = {"generic_options": [("grpc.enable_http_proxy", 0)]}
            if self._ca:
                options["tls_root_certs"] = self._ca.encode()
            self._connection = flight.connect(f"{scheme}://{self.address}", **options)
        return self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except TRANSPORT_ERRORS as error:
            raise error_from_flight(error, self.address) from error


def batches_of(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield a table in batches of about ``BATCH_BYTES``, the most that an upload sends at once."""
    row_bytes = max(1, table.nbytes // max(1, table.num_rows))
    yield from table.to_batches(max_chunksize=max(1, BATCH_BYTES // row_bytes))


def _send(
    writer: flight.FlightStreamWriter,
    answers: flight.FlightMetadataReader,
    batches: Iterator[pa.RecordBatch],
) -> bytes:
    """Stream the batches and the end; return the server's answer.

    When a write fails, the server has ended the call, and closing raises the reason.
    """
    rows = 0
    try:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
        writer.write_metadata(encode(UploadEnd(rows)))
        writer.done_writing()
        answer = answers.read()
    except TRANSPORT_ERRORS:
        writer.close()
        raise
    except BaseException:  # the caller's own batches failed, so the upload is cancelled
        with suppress(*TRANSPORT_ERRORS):
            writer.close()
        raise
    writer.close()
    if answer is None:
        raise DataServerUnreachableError("the data server ended the upload without an answer")
    return bytes(answer)
