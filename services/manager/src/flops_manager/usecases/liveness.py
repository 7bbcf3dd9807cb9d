"""Heartbeats: a small write each, so that a thousand learners do not rewrite their project."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from flops_contracts.events import Event
from flops_manager.domain.liveness import LastHeartbeat, with_heartbeat
from flops_manager.domain.subjects import Subject
from flops_manager.ports.heartbeats import Heartbeats
from flops_manager.ports.stores import Records

S = TypeVar("S", bound=Subject)


class Liveness:
    """Stores heartbeats, and shows projects and mocks with them."""

    def __init__(self, heartbeats: Heartbeats, now: Callable[[], datetime]) -> None:
        self._heartbeats = heartbeats
        self._now = now

    def take(self, event: Event, store: Records[Any]) -> None:
        """Store a heartbeat; only before the first of an actor its project or mock is read."""
        last = LastHeartbeat(event.actor.instance, self._now(), event.payload)
        if self._heartbeats.renew(event.project_id, last):
            return
        services = store.get(event.project_id).subject.services
        if any(service.instance == last.instance for service in services):
            self._heartbeats.add(event.project_id, last)

    def shown(self, *subjects: S) -> tuple[S, ...]:
        """Return projects or mocks with the heartbeats of their services."""
        heartbeats = self._heartbeats.of(*(subject.id for subject in subjects))
        return tuple(
            replace(
                subject,
                services=tuple(with_heartbeat(each, heartbeats) for each in subject.services),
            )
            for subject in subjects
        )
