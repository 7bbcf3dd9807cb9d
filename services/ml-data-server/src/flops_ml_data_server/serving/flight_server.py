"""The Arrow Flight interface of the store: translates calls, messages and errors."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyarrow import flight

from flops_contracts.errors import FlopsError
from flops_flight.errors import (
    DataRejectedError,
    DataServerUnreachableError,
    InvalidRequestError,
    flight_error,
)
from flops_flight.messages import (
    CLAIM,
    DROP,
    HEALTH,
    STATS,
    Claim,
    Upload,
    UploadEnd,
    decode,
    decode_criteria,
    decode_ticket,
    encode,
)
from flops_flight.names import FragmentName, parse_fragment_name
from flops_ml_data_server.access.callers import Caller, caller_of, trace_of
from flops_ml_data_server.serving.metrics import Metrics
from flops_ml_data_server.storage.fragments import StoredFragment
from flops_ml_data_server.storage.uploads import PendingFragment
from flops_ml_data_server.store import Store
from flops_ml_data_server.transfers.turns import Turn
from flops_runtime import tracing

logger = logging.getLogger(__name__)

ACTIONS = (
    (CLAIM, "Return the share of a project's learner."),
    (STATS, "Return the stored tags with rows, bytes and columns."),
    (HEALTH, "Check that the server works."),
    (DROP, "Remove the fragment with the name in the body."),
)


class FlightServer(flight.FlightServerBase):  # type: ignore[misc] # pyarrow has no types
    """Serves a store. Like every server of pyarrow, it listens once it is constructed."""

    def __init__(self, location: str, store: Store, metrics: Metrics, **options: Any) -> None:
        self._store = store
        self._metrics = metrics
        self._closing = threading.Event()
        super().__init__(location, **options)

    def end(self) -> None:
        """Abort transfers at their next batch, and stop serving."""
        self._closing.set()
        self.shutdown()

    def list_flights(
        self, context: flight.ServerCallContext, criteria: bytes
    ) -> Iterator[flight.FlightInfo]:
        """List complete fragments; empty criteria list all."""
        with self._translated():
            fragments = self._store.fragments(caller_of(context), decode_criteria(criteria))
            return iter([_info(fragment) for fragment in fragments])

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Describe one fragment by its name."""
        with self._translated():
            return _info(self._store.find(caller_of(context), _path(descriptor)))

    def get_schema(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.SchemaResult:
        """Return the columns of one fragment."""
        with self._translated():
            fragment = self._store.find(caller_of(context), _path(descriptor))
            return flight.SchemaResult(fragment.schema)

    def do_get(
        self, context: flight.ServerCallContext, ticket: flight.Ticket
    ) -> flight.FlightDataStream:
        """Stream a fragment, or a range of its rows."""
        with self._translated():
            fragment, batches = self._store.read(caller_of(context), decode_ticket(ticket.ticket))
        self._metrics.downloads.inc()
        parent = trace_of(context)
        span = tracing.begin("read", parent, rows=fragment.rows) if parent else tracing.NO_SPAN
        return flight.GeneratorStream(fragment.schema, self._counted(batches, span))

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Store a fragment under the name in the path, or under a name derived from its content."""
        outcome = "refused"
        try:
            with self._translated(), tracing.continued(trace_of(context), "store"):
                stored = self._stored(context, descriptor, reader)
                outcome = "stored"
            if descriptor.command:
                writer.write(pa.py_buffer(encode(stored.summary)))
        finally:
            self._metrics.uploads.labels(outcome).inc()

    def list_actions(self, _context: flight.ServerCallContext) -> list[tuple[str, str]]:
        """List the actions of ``do_action``."""
        return list(ACTIONS)

    def do_action(
        self, context: flight.ServerCallContext, action: flight.Action
    ) -> Iterator[flight.Result]:
        """Carry out one of ``ACTIONS``."""
        # Clients that wait for a server check its health repeatedly.
        parent = "" if action.type == HEALTH else trace_of(context)
        with self._translated(), tracing.continued(parent, str(action.type)[:50]):
            body = action.body.to_pybytes() if action.body is not None else b""
            return iter([flight.Result(self._answer(caller_of(context), action.type, body))])

    def _answer(self, caller: Caller, action: str, body: bytes) -> bytes:
        match action:
            case "claim":
                share = self._store.claim(caller, decode(Claim, body))
                self._metrics.claims.inc()
                return encode(share)
            case "stats":
                return encode(self._store.stats())
            case "health":
                return b'{"message": "ok"}'
            case "drop_dataset":
                self._store.drop(caller, body.decode(errors="replace"))
                return b""
            case _:
                raise InvalidRequestError(f"there is no action '{action[:100]}'")

    def _stored(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
    ) -> StoredFragment:
        caller = caller_of(context)
        name = _upload_name(descriptor)
        with self._store.upload(caller, name.tag, reader.schema) as pending:
            last_message = self._receive(reader, pending)
            if descriptor.command:
                _check_end(last_message, pending)
            pending.finish()
            if context.is_cancelled():
                raise DataServerUnreachableError("the client cancelled its upload")
            stored = self._store.publish(caller, pending, name)
        logger.info("stored %s: %d rows, %d bytes", stored.name, stored.rows, stored.bytes)
        return stored

    def _receive(self, reader: flight.MetadataRecordBatchReader, pending: PendingFragment) -> bytes:
        """Receive every batch; return the last message that came beside them."""
        last_message = b""
        with pending.receiving() as turn:
            for chunk in _chunks(reader, turn):
                if self._closing.is_set():
                    raise DataServerUnreachableError("the data server is shutting down")
                if chunk.data is not None:
                    pending.append(chunk.data)
                    self._metrics.received_bytes.inc(chunk.data.nbytes)
                if chunk.app_metadata is not None:
                    last_message = chunk.app_metadata.to_pybytes()
        return last_message

    def _counted(
        self, batches: Iterator[pa.RecordBatch], span: tracing.Span
    ) -> Iterator[flight.FlightDataStream]:
        with self._translated(), span:
            for batch in batches:
                if self._closing.is_set():
                    raise DataServerUnreachableError("the data server is shutting down")
                self._metrics.sent_bytes.inc(batch.nbytes)
                # A stream of its own: pyarrow sends dictionaries only at the start of a stream.
                yield flight.RecordBatchStream(pa.Table.from_batches([batch]))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FlopsError as error:
            logger.warning("refused: %s", error)
            self._metrics.rejected.labels(type(error).__name__).inc()
            raise flight_error(error) from error
        except OSError as error:
            logger.exception("the volume failed")
            self._metrics.rejected.labels("VolumeFailed").inc()
            refusal = DataRejectedError(f"the volume of the data server failed: {error}")
            raise flight_error(refusal) from error


def _chunks(
    reader: flight.MetadataRecordBatchReader, turn: Turn
) -> Iterator[flight.FlightStreamChunk]:
    while True:
        try:
            with turn.reading():
                chunk = reader.read_chunk()
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            raise DataRejectedError(f"the upload cannot be read: {error}") from error
        yield chunk


def _check_end(message: bytes, pending: PendingFragment) -> None:
    """Raise an error unless the upload is complete: Flight ends a broken stream the same way."""
    if not message:
        raise DataServerUnreachableError("the client cancelled its upload")
    end = decode(UploadEnd, message)
    if end.rows != pending.rows:
        raise DataRejectedError(f"only {pending.rows} of {end.rows} rows arrived")


def _upload_name(descriptor: flight.FlightDescriptor) -> FragmentName:
    """Return the name to store an upload under: a tag only, or an old client's whole name."""
    if descriptor.command:
        return FragmentName(decode(Upload, descriptor.command).data_tag, digest="")
    return parse_fragment_name(_path(descriptor))


def _path(descriptor: flight.FlightDescriptor) -> str:
    path = descriptor.path or []
    if len(path) != 1:
        raise DataRejectedError("the path of a descriptor must be the name of one fragment")
    return bytes(path[0]).decode(errors="replace")


def _info(fragment: StoredFragment) -> flight.FlightInfo:
    name = str(fragment.name)
    # No location: a client behind a bridge or port mapping must use the address it used before.
    endpoint = flight.FlightEndpoint(name.encode(), [])
    descriptor = flight.FlightDescriptor.for_path(name)
    return flight.FlightInfo(fragment.schema, descriptor, [endpoint], fragment.rows, fragment.bytes)
