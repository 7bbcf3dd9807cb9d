"""The manager's event bus in memory."""

from collections.abc import Callable
from datetime import UTC, datetime

from flops_contracts.events import RESULTS, Event


class MemoryEventBus:
    """A bus within the process: tests publish for actors, and read what they were sent.

    As a broker with a persistent session it keeps what nobody took yet, besides the results that
    nobody confirmed; ``forget`` makes it one that was killed.
    """

    def __init__(self) -> None:
        self.published: list[Event] = []
        self.acknowledged: list[str] = []
        self._receive: Callable[[Event], None] | None = None
        self._retained: dict[str, Event] = {}
        self._waiting: dict[str, Event] = {}

    @property
    def is_open(self) -> bool:
        """True while somebody listens."""
        return self._receive is not None

    def say(self, event: Event) -> None:
        """Publish as an actor. A result is kept until somebody confirms it."""
        if event.kind in RESULTS:
            self._retained[event.event_id] = event
        self._waiting[event.event_id] = event
        self._deliver()

    def forget(self) -> None:
        """Lose all events that were kept for a later listener."""
        self._retained.clear()
        self._waiting.clear()

    def hearing_since(self) -> datetime | None:
        """Return the earliest time while somebody listens, as if the bus was always heard."""
        return datetime.min.replace(tzinfo=UTC) if self.is_open else None

    def publish(self, event: Event, noun: str) -> None:
        """Keep it for the test to read."""
        self.published.append(event)

    def acknowledge(self, event: Event) -> None:
        """Keep it for the test to read."""
        self.acknowledged.append(event.event_id)
        self._retained.pop(event.event_id, None)

    def open(self, receive: Callable[[Event], None]) -> None:
        """Start listening."""
        self._receive = receive
        self._deliver()
        self.ask_again()

    def ask_again(self) -> None:
        """Deliver again the results that nobody confirmed."""
        if self._receive is not None:
            for event in tuple(self._retained.values()):
                self._receive(event)

    def close(self) -> None:
        """Stop listening."""
        self._receive = None

    def _deliver(self) -> None:
        for event_id, event in tuple(self._waiting.items()):
            if self._receive is not None:
                self._receive(event)
                self._waiting.pop(event_id, None)
