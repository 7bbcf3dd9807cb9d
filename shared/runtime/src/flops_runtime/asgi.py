"""Counting and timing the requests of an ASGI application that is somebody else's."""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from flops_runtime import tracing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HEALTH_PATH: Final = "/healthz"

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

Answered = Callable[[Scope, int, float], None]
"""Hears of a request, the status of its answer, and the seconds until that was complete."""


Names = Callable[[Scope], str]
"""Says what a request's span is called; no request without a name is traced."""


class Named:
    """The application, which also answers ``/healthz`` with the name of its service.

    By that a manager recognises the service behind a published port.
    """

    def __init__(self, application: Application, instance: str) -> None:
        self._application = application
        self._answer = health_document(instance)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, apart from this one path."""
        if scope["type"] != "http" or scope["path"] != HEALTH_PATH:
            await self._application(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self._answer)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._answer})


class Watched:
    """The application, with somebody told of each HTTP request; 500 is one without an answer.

    A request that brings a ``traceparent`` is a span of that trace.
    """

    def __init__(
        self, application: Application, answered: Answered, names: Names = lambda _: ""
    ) -> None:
        self._application = application
        self._answered = answered
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            return await self._application(scope, receive, send)
        status, began = 500, time.perf_counter()

        async def note(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            name = self._names(scope)
            with tracing.continued(_trace_of(scope) if name else "", name):
                await self._application(scope, receive, note)
        finally:
            self._answered(scope, status, time.perf_counter() - began)


def health_document(instance: str) -> bytes:
    """Return what a published service answers at ``/healthz``."""
    return json.dumps({"instance": instance}).encode()


def _trace_of(scope: Scope) -> str:
    headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
    return headers.get(tracing.HEADER.encode(), b"").decode("latin-1")[:64]
