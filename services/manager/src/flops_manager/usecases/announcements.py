"""Telling people and actors what the manager did."""

import logging
from collections.abc import Callable
from datetime import datetime

from flops_contracts.events import Actor, Event, Kind, StageChanged
from flops_contracts.roles import Role
from flops_manager.domain.commands import Announce
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

    def announce(self, subject_id: str, command: Announce, *, is_mock: bool) -> None:
        """Tell it. Repeated, it keeps its ``event_id``, so that nobody counts it twice."""
        what = "mock" if is_mock else "project"
        why = f": {command.reason}" if command.reason else ""
        logger.info("%s %s is %s%s", what, subject_id, command.stage, why)
        event = Event(
            event_id=f"{subject_id}-{command.number}-{command.stage}",
            project_id=subject_id,
            actor=Actor(Role.MANAGER, "manager"),
            stage=command.stage,
            kind=Kind.STAGE_CHANGED,
            at=self._now(),
            payload=StageChanged(command.stage, command.previous, command.reason, command.hint),
            trace=tracing.current(),
        )
        self._history.append(subject_id, event)
        self._bus.publish(event, is_mock=is_mock)
        STAGE_CHANGES.labels(what, command.stage).inc()
