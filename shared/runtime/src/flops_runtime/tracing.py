"""Spans by OpenTelemetry where traces are switched on, and nothing elsewhere.

While they are off, nothing of OpenTelemetry is imported, a span is an empty context, and
``current`` is an empty text, which nobody sends. What is sent between processes is W3C's
``traceparent``, whatever it travels in. See docs/adr/0040.
"""

import importlib
import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from flops_contracts.declared import declared

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

HEADER: Final = "traceparent"
"""How HTTP and Flight call it."""

END_SECONDS: Final = 3.0
"""How long a process that ends waits for a collector to take its last spans."""

EXPORT_SECONDS: Final = 5
DELAY_MILLISECONDS: Final = 1000

Attribute = str | int | float | bool


@dataclass(frozen=True)
class TraceSettings:
    """Where spans go, and which trace this process belongs to; both may be empty."""

    endpoint: str = declared(
        "",
        "OpenTelemetry collector (OTLP over HTTP) that spans go to; empty: no traces.",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    parent: str = declared(
        "", "Trace that this process works for (W3C traceparent).", "FLOPS_TRACEPARENT"
    )


NO_TRACES: Final = TraceSettings()


class Span:
    """A span that somebody ends later, maybe in another thread; this one stands for none."""

    traceparent = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End it; safe to call twice."""


NO_SPAN: Final = Span()


class _OpenSpan(Span):
    def __init__(self, span: Any, traceparent: str) -> None:
        self._span = span
        self.traceparent = traceparent

    def end(self) -> None:
        """End it; safe to call twice."""
        if self._span.is_recording():
            self._span.end()


class Traces:
    """The spans of one process. ``parent`` is what a span belongs to that nothing else is above."""

    def __init__(self, provider: "TracerProvider", parent: str) -> None:
        self._api = importlib.import_module("opentelemetry.trace")
        propagation = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
        self._propagator = propagation.TraceContextTextMapPropagator()
        self._provider = provider
        self._tracer = provider.get_tracer("flops")
        self.parent = parent

    def current(self) -> str:
        """Return the traceparent of this thread's span, or else of the process."""
        return self._traceparent(self._api.get_current_span()) or self.parent

    @contextmanager
    def span(self, name: str, parent: str, attributes: dict[str, Attribute]) -> Iterator[None]:
        """Make the context a span, and note which kind of exception leaves it.

        Only its kind: what user code raises may hold rows, and the owner of a node decides
        whether that leaves it.
        """
        with self._tracer.start_as_current_span(
            name,
            self._context(parent),
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(self._api.StatusCode.ERROR, type(error).__name__)
                raise

    def begin(self, name: str, parent: str, attributes: dict[str, Attribute]) -> Span:
        """Begin a span that no context of this thread stands for."""
        span = self._tracer.start_span(name, self._context(parent), attributes=attributes)
        return _OpenSpan(span, self._traceparent(span))

    def close(self) -> None:
        """Send what is left, within bounds: a collector that is away must not keep a process."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(END_SECONDS)

    def _context(self, parent: str) -> Any:
        """Return what a span begins in; None is this thread's own context."""
        if not parent and self._api.get_current_span().get_span_context().is_valid:
            return None
        return self._propagator.extract({HEADER: parent or self.parent})

    def _traceparent(self, span: Any) -> str:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, self._api.set_span_in_context(span))
        return carrier.get(HEADER, "")


class _TraceOfLine(logging.Filter):
    """Lets every line say the trace of its thread; it is ``CONTEXT`` that says a process' own."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the trace and return True."""
        if trace_id := trace_id_of(current()):
            record.trace_id = trace_id
        return True


_active: Final[list[Traces]] = []


def start(settings: TraceSettings, service: str, **attributes: Attribute) -> None:
    """Switch traces on if the settings name a collector; call it once, before the work begins.

    What goes wrong is logged: a process does its work without traces, too.
    """
    if not settings.endpoint or _active:
        return
    try:
        provider = _provider(settings.endpoint, {"service.name": f"flops-{service}", **attributes})
        _active.append(Traces(provider, settings.parent))
    except (ImportError, ValueError) as error:
        logger.warning("there will be no traces: %s", error)
        return
    for handler in logging.getLogger().handlers:
        show_in(handler)


def show_in(handler: logging.Handler) -> None:
    """Add the trace of their thread to the lines of ``handler``."""
    handler.addFilter(_TraceOfLine())


def stop() -> None:
    """Send what is left and switch traces off; safe to call twice."""
    while _active:
        _active.pop().close()


def span(name: str, parent: str = "", **attributes: Attribute) -> AbstractContextManager[Any]:
    """Return a context that is a span below ``parent``, the thread's span, or the process' own."""
    return _active[-1].span(name, parent, attributes) if _active else nullcontext()


def continued(parent: str, name: str, **attributes: Attribute) -> AbstractContextManager[Any]:
    """Return the same, but only in a trace that somebody else began."""
    return span(name, parent, **attributes) if parent else nullcontext()


def begin(name: str, parent: str = "", **attributes: Attribute) -> Span:
    """Begin a span that is ended by ``end``, for work that is not a block of code."""
    return _active[-1].begin(name, parent, attributes) if _active else NO_SPAN


@contextmanager
def of_process(name: str, **attributes: Attribute) -> Iterator[None]:
    """Make a span of what this process is for: from now on all others belong to it."""
    with _active[-1].span(name, "", attributes) if _active else nullcontext():
        if _active:
            _active[-1].parent = _active[-1].current()
        yield


def current() -> str:
    """Return the traceparent to hand on, or an empty text if there is none."""
    return _active[-1].current() if _active else ""


def trace_id_of(traceparent: str) -> str:
    """Return the trace's id, 32 hexadecimal digits; empty if there is none."""
    parts = traceparent.split("-")
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 else ""


def _provider(endpoint: str, attributes: dict[str, Attribute]) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - see above
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    # One of our own, because libraries (MLflow) and users' code may set the global one. Its own
    # hook at the end of a process would wait for a collector as long as that likes.
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=DELAY_MILLISECONDS)
    )
    return provider
