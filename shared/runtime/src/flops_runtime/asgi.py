"""Counting and timing the requests of an ASGI application that is somebody else's."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

Answered = Callable[[Scope, int, float], None]
"""Hears of a request, the status of its answer, and the seconds until that was complete."""


class Watched:
    """The application, with somebody told of each HTTP request; 500 is one without an answer."""

    def __init__(self, application: Application, answered: Answered) -> None:
        self._application = application
        self._answered = answered

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
            await self._application(scope, receive, note)
        finally:
            self._answered(scope, status, time.perf_counter() - began)
