"""Webhooks are registered, listed, removed, and called when something changes."""

import threading
from collections.abc import Callable
from typing import Any

from flops_local_oakestra.domain.hooks import Hook, TakenHookError, read_hook

Send = Callable[[str, dict[str, Any]], None]


class Hooks:
    """The webhooks of a root's resource abstractor; ``send`` must not wait for the receiver."""

    def __init__(self, new_id: Callable[[], str], send: Send) -> None:
        self._new_id = new_id
        self._send = send
        self._hooks: dict[str, Hook] = {}
        self._lock = threading.Lock()

    def create(self, document: Any) -> dict[str, Any]:
        """Register a hook; raise ``UnacceptableHookError`` or ``TakenHookError``."""
        hook = read_hook(self._new_id(), document)
        with self._lock:
            for other in self._hooks.values():
                if hook.name == other.name:
                    raise TakenHookError(f"a hook named {hook.name} exists")
                if (hook.entity, hook.url) == (other.entity, other.url):
                    raise TakenHookError(f"{hook.url} is registered for {hook.entity} already")
            self._hooks[hook.id] = hook
        return hook.document()

    def all(self) -> list[dict[str, Any]]:
        """Return every hook."""
        with self._lock:
            return [hook.document() for hook in self._hooks.values()]

    def delete(self, hook_id: str) -> None:
        """Remove a hook, if it exists."""
        with self._lock:
            self._hooks.pop(hook_id, None)

    def fire(self, entity: str, entity_id: str, event: str) -> None:
        """Call all hooks that are registered for an event."""
        with self._lock:
            hooks = list(self._hooks.values())
        for hook in hooks:
            if hook.entity == entity and event in hook.events:
                self._send(hook.url, {"entity": entity, "entity_id": entity_id, "event": event})
