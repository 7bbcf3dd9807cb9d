"""What actors say: stored, applied, and confirmed where they wait for that."""

import logging
from typing import Final

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from flops_contracts.events import PASSING, RESULTS, Event
from flops_manager.domain.errors import (
    MockNotFoundError,
    ProjectNotFoundError,
    RecordTooLargeError,
    StaleProjectError,
    StoreUnavailableError,
    UnreadableRecordError,
)
from flops_manager.metrics import EVENTS
from flops_manager.ports.event_bus import EventBus
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.projects import Projects
from flops_runtime import tracing

logger = logging.getLogger(__name__)

STORE_PATIENCE_SECONDS: Final = 15.0
"""The broker's connection waits meanwhile, and is thrown out if it waits much longer."""


class Inbox:
    """Takes what actors say: stores it, applies it, and confirms results."""

    def __init__(self, projects: Projects, mocks: Mocks, bus: EventBus) -> None:
        self._projects = projects
        self._mocks = mocks
        self._bus = bus

    def take(self, event: Event, is_mock: bool) -> None:
        """Take one message. What is confirmed is stored; what cannot be stored is not confirmed."""
        outcome = "applied"
        trace = "" if event.kind in PASSING else event.trace
        try:
            with tracing.continued(trace, f"event {event.kind}"):
                self._store(event, is_mock=is_mock)
        except (ProjectNotFoundError, MockNotFoundError):
            # Its project was deleted, so nobody needs it; confirmed, the actor can end.
            logger.info("nobody knows %s, who says %s", event.project_id, event.kind)
            outcome = "unknown"
        except UnreadableRecordError as error:
            EVENTS.labels(event.kind, "dropped").inc()
            # Left with the broker, it and its like would soon keep everybody else's words back.
            logger.error("dropped a %s: %s", event.kind, error)  # noqa: TRY400 - that says all
            return
        except RecordTooLargeError as error:
            logger.error("dropped a %s: %s", event.kind, error)  # noqa: TRY400 - that says all
            outcome = "dropped"
            if not is_mock:
                self._projects.end(event.project_id, error)
        EVENTS.labels(event.kind, outcome).inc()
        if event.kind in RESULTS:
            self._bus.acknowledge(event, is_mock=is_mock)

    def _store(self, event: Event, *, is_mock: bool) -> None:
        """Store and apply it; a database that is away for a moment is waited for."""
        for attempt in Retrying(
            retry=retry_if_exception_type((StoreUnavailableError, StaleProjectError)),
            stop=stop_after_delay(STORE_PATIENCE_SECONDS),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        ):
            with attempt:
                (self._mocks if is_mock else self._projects).receive(event)
