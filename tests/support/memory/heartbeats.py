"""The last heartbeats in memory."""

import threading
from collections.abc import Mapping

from flops_manager.domain.liveness import LastHeartbeat


class MemoryHeartbeats:
    """See ``Heartbeats``."""

    def __init__(self) -> None:
        self._heartbeats: dict[str, dict[str, LastHeartbeat]] = {}
        self._lock = threading.Lock()

    def renew(self, subject_id: str, heartbeat: LastHeartbeat) -> bool:
        """Replace the actor's heartbeat."""
        with self._lock:
            actors = self._heartbeats.get(subject_id, {})
            if heartbeat.instance not in actors:
                return False
            actors[heartbeat.instance] = heartbeat
            return True

    def add(self, subject_id: str, heartbeat: LastHeartbeat) -> None:
        """Store an actor's first heartbeat."""
        with self._lock:
            self._heartbeats.setdefault(subject_id, {})[heartbeat.instance] = heartbeat

    def of(self, *subject_ids: str) -> Mapping[str, LastHeartbeat]:
        """Return the heartbeats by instance."""
        with self._lock:
            return {
                instance: heartbeat
                for subject_id in subject_ids
                for instance, heartbeat in self._heartbeats.get(subject_id, {}).items()
            }

    def remove(self, subject_id: str) -> None:
        """Forget the heartbeats of a project or mock."""
        with self._lock:
            self._heartbeats.pop(subject_id, None)
