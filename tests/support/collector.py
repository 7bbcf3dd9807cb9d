"""A collector of traces: OTLP over HTTP on the loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
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


class Spans:
    """The spans that a collector, maybe in another process, received at ``endpoint``."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def received(self) -> bytes:
        """Return all requests so far as one: serialized messages are merged by joining them."""
        answer = requests.get(self.endpoint, timeout=120)
        answer.raise_for_status()
        return answer.content

    def spans(self, trace: str = "") -> list[Collected]:
        """Return all spans so far, or those of one trace."""
        return [
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
            for resource in ExportTraceServiceRequest.FromString(self.received()).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if trace in {"", span.trace_id.hex()}
        ]

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
def running_collector() -> Iterator[Spans]:
    """Listen on a free port of the loopback until the end of the context."""
    bodies: list[bytes] = []

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(b"".join(bodies))

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Spans(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(300)
