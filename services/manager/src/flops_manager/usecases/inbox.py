"""Actors' messages: stored, applied, and confirmed where they wait for that."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from flops_contracts.events import PASSING, RESULTS, Event
from flops_contracts.roles import Role
from flops_manager.domain.errors import (
    RecordTooLargeError,
    StaleProjectError,
    StoreUnavailableError,
    SubjectNotFoundError,
    UnreadableRecordError,
    UnstorableError,
)
from flops_manager.metrics import EVENTS
from flops_manager.ports.event_bus import EventBus
from flops_manager.usecases.subjects import Subjects
from flops_runtime import tracing

logger = logging.getLogger(__name__)

STORE_PATIENCE_SECONDS: Final = 15.0
"""The broker's connection waits meanwhile, and is thrown out if it waits much longer."""


class Inbox:
    """Takes messages: stores and applies them, and confirms results.

    An actor's role decides whether it works for a project or a mock.
    """

    def __init__(self, subjects: Mapping[Role, Subjects[Any]], bus: EventBus) -> None:
        self._subjects = subjects
        self._bus = bus

    def take(self, event: Event) -> None:
        """Take a message: a confirmed one is stored, and one that cannot be stored is not."""
        outcome = "applied"
        trace = "" if event.kind in PASSING else event.trace
        try:
            with tracing.continued(trace, f"event {event.kind}"):
                self._store(event)
        except SubjectNotFoundError:
            # Its project was deleted, so it is not needed; confirmed, the actor can end.
            logger.info("%s is unknown; its %s is ignored", event.project_id, event.kind)
            outcome = "unknown"
        except UnreadableRecordError as error:
            EVENTS.labels(event.kind, "dropped").inc()
            # Left with the broker, such messages would soon hold up those of everybody else.
            logger.error("dropped a %s: %s", event.kind, error)  # noqa: TRY400 - that says all
            return
        except UnstorableError as error:
            logger.error("dropped a %s: %s", event.kind, error)  # noqa: TRY400 - that says all
            outcome = "dropped"
            self._put_aside(event, error)
        EVENTS.labels(event.kind, outcome).inc()
        if event.kind in RESULTS:
            self._bus.acknowledge(event)

    def _put_aside(self, event: Event, error: UnstorableError) -> None:
        """Go on without the message, unless it is a result: without that, a project has failed."""
        subjects = self._subjects[event.actor.role]
        if event.kind in RESULTS or isinstance(error, RecordTooLargeError):
            subjects.fail(event.project_id, error)
            return
        who = f"{event.actor.role} {event.actor.instance}"
        text = f"A message ({event.kind}) of the {who} could not be stored and was put aside."
        subjects.notify(event.project_id, text)

    def _store(self, event: Event) -> None:
        """Store and apply it; wait for a database that is unavailable for a moment."""
        subjects = self._subjects.get(event.actor.role)
        if subjects is None:
            raise SubjectNotFoundError(f"A {event.actor.role} is part of nothing.")
        for attempt in Retrying(
            retry=retry_if_exception_type((StoreUnavailableError, StaleProjectError)),
            stop=stop_after_delay(STORE_PATIENCE_SECONDS),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        ):
            with attempt:
                subjects.receive(event)
