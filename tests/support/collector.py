"""A collector of traces: OTLP over HTTP on the loopback, in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True)
class Collected:
    """A span, and its sender; ``parent`` is empty for the first of a trace."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    is_error: bool
    error: str
    attributes: dict[str, Any] = field(default_factory=dict)


class Collector:
    """The spans that arrived, and the address to send to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Collected] = []
        self.endpoint = ""
        self.bodies: list[bytes] = []

    def take(self, body: bytes) -> None:
        """Keep the spans of one request."""
        spans = [
            Collected(
                service=_attributes(resource.resource)["service.name"],
                name=span.name,
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                is_error=span.status.code == Status.STATUS_CODE_ERROR,
                error=span.status.message,
                attributes=_attributes(span),
            )
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._spans += spans
            self.bodies.append(body)

    def spans(self, trace: str = "") -> list[Collected]:
        """Return all spans so far, or those of one trace."""
        with self._lock:
            return [span for span in self._spans if trace in {"", span.trace}]

    def services(self, trace: str) -> set[str]:
        """Return the services that sent spans of a trace."""
        return {span.service for span in self.spans(trace)}

    def names(self, service: str, trace: str = "") -> set[str]:
        """Return how a service's spans are called."""
        return {span.name for span in self.spans(trace) if span.service == service}


def _attributes(owner: Any) -> dict[str, Any]:
    return {
        attribute.key: getattr(attribute.value, attribute.value.WhichOneof("value"))
        for attribute in owner.attributes
    }


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Listen on a free port of the loopback until the end of the context."""
    collector = Collector()

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
    collector.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join(300)
