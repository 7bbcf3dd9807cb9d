"""The metrics of a project's observer."""

from typing import Final

from prometheus_client import Counter

EVENTS: Final = Counter("flops_observer_events", "Printed events by kind.", ["kind"])
IGNORED: Final = Counter("flops_observer_ignored_messages", "Messages that are not events.")
