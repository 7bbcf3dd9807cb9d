"""The last heartbeats of actors, kept apart from the projects and mocks they work for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from flops_contracts.events import Heartbeat
from flops_manager.domain.subjects import DONE, Service


@dataclass(frozen=True)
class LastHeartbeat:
    """The last heartbeat of the service ``instance``, and when the manager received it."""

    instance: str
    received_at: datetime
    heartbeat: Heartbeat


def with_heartbeat(service: Service, heartbeats: Mapping[str, LastHeartbeat]) -> Service:
    """Return the service as its heartbeat describes it, unless its predecessor sent that."""
    last = heartbeats.get(service.instance)
    if last is None or service.deployed_at is None or last.received_at < service.deployed_at:
        return service
    beat = last.heartbeat
    return replace(
        service,
        state=service.state if service.state == DONE else beat.state,
        round=beat.round,
        memory_mb=beat.memory_mb,
        rows=beat.rows,
        last_heartbeat=max(last.received_at, service.last_heartbeat or last.received_at),
    )
