"""How actors and manager exchange messages."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from flops_contracts.events import Event


class EventBus(Protocol):
    """Messages from and to actors. No call waits for the other side."""

    def hearing_since(self) -> datetime | None:
        """Return since when messages arrive without a gap; None while they do not."""

    def publish(self, event: Event, noun: str) -> None:
        """Send the event to everybody who watches this project or mock; ``noun`` says which."""

    def acknowledge(self, event: Event) -> None:
        """Confirm to the actor that its result is stored, and remove it from the broker."""

    def open(self, receive: Callable[[Event], None]) -> None:
        """Connect, and call ``receive(event)`` for each message until ``close``.

        Raises ``BrokerUnreachableError``. Errors that ``receive`` raises are logged.
        """

    def ask_again(self) -> None:
        """Receive every unconfirmed result again.

        Raises ``BrokerUnreachableError``; does nothing unless it is open.
        """

    def close(self) -> None:
        """Disconnect; messages wait at the broker from now on. Safe to call twice."""
