"""What a project's observer says at /metrics."""

from typing import Final

from prometheus_client import Counter

EVENTS: Final = Counter("flops_observer_events", "Events that were printed, by kind.", ["kind"])
IGNORED: Final = Counter("flops_observer_ignored_messages", "Messages that are not events.")
