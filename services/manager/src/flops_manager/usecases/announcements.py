"""Publishing stage changes to people and actors."""

import logging
from collections.abc import Callable
from datetime import datetime

from flops_contracts.events import Actor, Event, Kind, StageChanged
from flops_contracts.roles import Role
from flops_manager.domain.commands import Announce
from flops_manager.domain.subjects import Subject
from flops_manager.metrics import STAGE_CHANGES
from flops_manager.ports.event_bus import EventBus
from flops_manager.ports.stores import EventStore
from flops_runtime import tracing

logger = logging.getLogger(__name__)


class Announcements:
    """Puts stage changes into the history and on the bus."""

    def __init__(self, history: EventStore, bus: EventBus, now: Callable[[], datetime]) -> None:
        self._history = history
        self._bus = bus
        self._now = now

    def announce(self, subject: Subject, command: Announce) -> None:
        """Publish it. Repeated, it keeps its ``event_id``, so that it is not counted twice."""
        reason = f": {command.reason}" if command.reason else ""
        logger.info("%s %s is %s%s", subject.noun, subject.id, command.stage, reason)
        event = Event(
            event_id=f"{subject.id}-{command.number}-{command.stage}",
            project_id=subject.id,
            actor=Actor(Role.MANAGER, "manager"),
            stage=command.stage,
            kind=Kind.STAGE_CHANGED,
            at=self._now(),
            payload=StageChanged(command.stage, command.previous, command.reason, command.hint),
            trace=tracing.current(),
        )
        self._history.append(subject.id, event)
        self._bus.publish(event, subject.noun)
        STAGE_CHANGES.labels(subject.noun, command.stage).inc()
