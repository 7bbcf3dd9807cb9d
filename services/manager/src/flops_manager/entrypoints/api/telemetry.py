"""Telemetry of each request: an id, a log line, a counter and a histogram.

One process with threads is assumed, so the metrics need no shared directory: run one gunicorn
worker per container and several containers, each of which is scraped.
"""

import logging
import re
import time
import uuid
from contextlib import ExitStack
from typing import Final

from flask import Flask, Response, g, has_app_context, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from flops_runtime import tracing

logger = logging.getLogger(__name__)

REQUEST_ID: Final = "X-Request-ID"
_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})


def request_id() -> str:
    """Return the id of the request being answered, or ``-`` outside of one."""
    return str(g.get("request_id", "-")) if has_app_context() else "-"


class Telemetry:
    """Counts and times what one app answers; each app has a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "flops_api_requests",
            "Answered requests.",
            ("method", "endpoint", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "flops_api_request_seconds",
            "Time until an answer starts; a live stream counts until its first byte.",
            ("method", "endpoint"),
            registry=self.registry,
        )
        self.streams = Gauge("flops_api_streams", "Live streams.", registry=self.registry)

    def watch(self, app: Flask) -> None:
        """Begin to observe the requests of ``app``."""
        app.before_request(_begin)
        app.after_request(self._end)
        app.teardown_request(_end_span)

    def exposition(self) -> Response:
        """Return this app's metrics and those of the process."""
        body = generate_latest(REGISTRY) + generate_latest(self.registry)
        return Response(body, content_type=CONTENT_TYPE_LATEST)

    def _end(self, response: Response) -> Response:
        # The path may be any text of the client; the rule has one of few values.
        endpoint = request.url_rule.rule if request.url_rule else "(none)"
        method = request.method if request.url_rule else "(any)"
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        self._requests.labels(method, endpoint, str(response.status_code)).inc()
        self._seconds.labels(method, endpoint).observe(seconds)
        response.headers[REQUEST_ID] = request_id()
        _log(response, endpoint, seconds)
        return response


def _begin() -> None:
    g.started = time.perf_counter()
    g.span = ExitStack()
    if request.url_rule is not None:
        # Reading requests are a span only if the caller traces them: pages poll.
        given = request.headers.get(tracing.HEADER, "")[:64]
        name = f"{request.method} {request.url_rule.rule}"
        if given:
            g.span.enter_context(tracing.continued(given, name))
        elif request.method not in {"GET", "HEAD", "OPTIONS"}:
            g.span.enter_context(tracing.span(name))
    given = request.headers.get(REQUEST_ID, "")
    g.request_id = given if _GIVEN_ID.match(given) else uuid.uuid4().hex[:12]


def _end_span(_error: BaseException | None) -> None:
    g.span.close()


def _log(response: Response, endpoint: str, seconds: float) -> None:
    path = request.view_args or {}
    project_id = str(g.get("project_id") or path.get("project_id") or path.get("mock_id") or "-")
    logger.log(
        logging.DEBUG if endpoint in _QUIET else logging.INFO,
        "%s %r by %r: %s in %.0f ms [request %s, project %s]",
        request.method,
        request.path,
        g.get("user", ""),
        response.status_code,
        seconds * 1000,
        request_id(),
        project_id,
        extra={"request_id": request_id(), "project": project_id},
    )
