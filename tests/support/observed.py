"""Messages as an observer receives them."""

import uuid
from datetime import UTC, datetime
from typing import Any

from flops_contracts.envelope import encode
from flops_contracts.events import Actor, Event, Kind
from flops_contracts.roles import Role

AT = datetime(2026, 1, 2, 6, 7, 8, tzinfo=UTC)


def observed_event(kind: Kind, payload: Any, project_id: str = "p1") -> Event:
    """Return an event of the manager's with an id of its own."""
    actor = Actor(Role.MANAGER, "manager")
    return Event(uuid.uuid4().hex, project_id, actor, "training", kind, AT, payload)


def a_message(kind: Kind, payload: Any, project_id: str = "p1") -> bytes:
    """Return such an event as it travels."""
    return encode(observed_event(kind, payload, project_id))
