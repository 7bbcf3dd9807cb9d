"""Live events of a project over HTTP (server-sent events), resumed by ``Last-Event-ID``.

A stream holds a thread of the server for as long as it lives, so their number and their life are
bounded; a client whose stream ends reconnects with the number of the last event that it has.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flask import Response
from prometheus_client import Gauge

from flops_contracts.errors import FlopsError
from flops_contracts.events import Kind
from flops_contracts.roles import Stage
from flops_manager.entrypoints.api.answers import numbered
from flops_manager.entrypoints.api.errors import TooManyStreamsError
from flops_manager.ports.stores import StoredEvent
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.projects import Projects

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "text/event-stream"
BATCH: Final = 500
FINAL: Final = frozenset(str(stage) for stage in Stage if stage.is_final)

Read = Callable[[str, int], tuple[StoredEvent, ...]]
"""Returns what follows a number in a project's history."""


@dataclass(frozen=True)
class Pace:
    """How often a stream polls, how long it may be silent, and how long it lives."""

    poll_seconds: float = 0.5
    heartbeat_seconds: float = 15.0
    settle_seconds: float = 5.0
    life_seconds: float = 600.0


class Streams:
    """Opens streams, at most ``limit`` at once."""

    def __init__(
        self,
        projects: Projects,
        *,
        limit: int,
        gauge: Gauge,
        pace: Pace | None = None,
        pause: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._projects = projects
        self._places = threading.BoundedSemaphore(limit)
        self._limit = limit
        self._gauge = gauge
        self._pace = pace or Pace()
        self._closing = threading.Event()
        self._pause = pause or self._closing.wait
        self._clock = clock

    def close(self) -> None:
        """End every stream at its next poll, so that the server can stop."""
        self._closing.set()

    def open(
        self,
        project_id: str,
        caller: Caller,
        after: int,
        *,
        is_resumed: bool,
        has_content: bool = True,
    ) -> Response:
        """Return a stream of what follows ``after``; without content, of the events' numbers only.

        A client that reconnects after the end gets 204, so that EventSource stops.
        """
        project = self._projects.get(project_id, caller)
        is_over = is_resumed and project.stage.is_final
        if is_over and self._projects.last_event(project_id) <= after:
            return Response(status=HTTPStatus.NO_CONTENT)
        if not self._places.acquire(blocking=False):
            raise TooManyStreamsError(
                f"All {self._limit} live streams are in use.",
                hint="Request the events without a stream, or try again later.",
            )
        self._gauge.inc()
        read = self._events if has_content else self._last_number
        frames = self._frames(project_id, caller, after, read)
        response = Response(frames, mimetype=MEDIA_TYPE)
        response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
        response.call_on_close(self._release)
        return response

    def _release(self) -> None:
        self._gauge.dec()
        self._places.release()

    def _frames(self, project_id: str, caller: Caller, after: int, read: Read) -> Iterator[str]:
        yield "retry: 2000\n\n"
        try:
            yield from self._live(project_id, caller, after, read)
        except FlopsError as error:
            # The project is deleted, or the store is away: the answer to the next request says so.
            logger.info("stream ends: %s", error.reason, extra={"project": project_id})

    def _live(self, project_id: str, caller: Caller, after: int, read: Read) -> Iterator[str]:
        opened = spoke = looked = self._clock()
        is_over = False
        while self._clock() - opened < self._pace.life_seconds and not self._closing.is_set():
            events = read(project_id, after)
            for event in events:
                yield f"id: {event.seq}\ndata: {json.dumps(numbered(event), allow_nan=False)}\n\n"
                after, is_over = event.seq, _is_over_after(event, is_over=is_over)
            now = self._clock()
            if events:
                spoke = looked = now
                continue
            # A project may be over, or deleted, without another event.
            if now - looked >= self._pace.settle_seconds:
                looked = now
                is_over = is_over or self._projects.get(project_id, caller).stage.is_final
            if is_over:
                return
            if now - spoke >= self._pace.heartbeat_seconds:
                spoke = now
                yield ": still here\n\n"
            self._pause(self._pace.poll_seconds)

    def _events(self, project_id: str, after: int) -> tuple[StoredEvent, ...]:
        return self._projects.events_after(project_id, after, BATCH)

    def _last_number(self, project_id: str, after: int) -> tuple[StoredEvent, ...]:
        last = self._projects.last_event(project_id)
        return (StoredEvent(last, {}),) if last > after else ()


def _is_over_after(event: StoredEvent, *, is_over: bool) -> bool:
    """Return whether the project is in a final stage after ``event``; a retry leaves it again."""
    if event.document.get("kind") != Kind.STAGE_CHANGED:
        return is_over
    return event.document["payload"]["stage"] in FINAL
