"""Where the last heartbeat of each actor is stored."""

from collections.abc import Mapping
from typing import Protocol

from flops_manager.domain.liveness import LastHeartbeat


class Heartbeats(Protocol):
    """Keeps one heartbeat for each actor. Every method may raise ``StoreUnavailableError``."""

    def renew(self, subject_id: str, heartbeat: LastHeartbeat) -> bool:
        """Replace the actor's heartbeat; return False, and store nothing, if it has none yet."""

    def add(self, subject_id: str, heartbeat: LastHeartbeat) -> None:
        """Store an actor's first heartbeat; one that was stored meanwhile is replaced."""

    def of(self, *subject_ids: str) -> Mapping[str, LastHeartbeat]:
        """Return the heartbeats of projects or mocks by instance, which is unique among them."""

    def remove(self, subject_id: str) -> None:
        """Forget the heartbeats of a project or mock."""
