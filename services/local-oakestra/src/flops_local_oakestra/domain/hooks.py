"""Webhooks and the events they are registered for."""

from dataclasses import dataclass
from typing import Any, Final

EVENTS: Final = tuple(
    f"{when}_{what}" for when in ("pre", "post") for what in ("create", "update", "delete")
)
"""Events that begin with ``pre`` can be registered, but are never sent here."""


class UnacceptableHookError(ValueError):
    """The root answers 422."""


class TakenHookError(ValueError):
    """Its name, or its URL for this entity, is registered already; the root answers 500."""


@dataclass(frozen=True)
class Hook:
    """One registration."""

    id: str
    name: str
    url: str
    entity: str
    events: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return the root's document."""
        return {
            "_id": self.id,
            "hook_name": self.name,
            "webhook_url": self.url,
            "entity": self.entity,
            "events": list(self.events),
        }


def read_hook(hook_id: str, document: Any) -> Hook:
    """Return the hook of a request; raise ``UnacceptableHookError``."""
    if not isinstance(document, dict):
        raise UnacceptableHookError("the hook must be an object")
    texts = [document.get(key) for key in ("hook_name", "webhook_url", "entity")]
    events = document.get("events", [])
    if not isinstance(events, list) or not set(events) <= set(EVENTS):
        raise UnacceptableHookError(f"events must be among {', '.join(EVENTS)}")
    if not all(isinstance(text, str) for text in texts):
        raise UnacceptableHookError("hook_name, webhook_url and entity must be strings")
    name, url, entity = map(str, texts)
    return Hook(hook_id, name, url, entity, tuple(events))
