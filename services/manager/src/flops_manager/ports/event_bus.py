"""How actors and manager talk."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from flops_contracts.events import Event


class EventBus(Protocol):
    """Messages from and to actors. Nothing here waits for the other side."""

    def hearing_since(self) -> datetime | None:
        """Return since when messages come without a gap; None while they do not."""

    def publish(self, event: Event, *, is_mock: bool) -> None:
        """Tell everybody who watches the project or mock."""

    def acknowledge(self, event: Event, *, is_mock: bool) -> None:
        """Tell the actor that its result is stored, and take the result off the broker."""

    def open(self, receive: Callable[[Event, bool], None]) -> None:
        """Connect, and call ``receive(event, is_mock)`` for each message until ``close``.

        Raises ``BrokerUnreachableError``. What ``receive`` raises is logged.
        """

    def ask_again(self) -> None:
        """Make every result that nobody confirmed come again, to whom ``open`` was told.

        Raises ``BrokerUnreachableError``; does nothing unless it is open.
        """

    def close(self) -> None:
        """Disconnect; messages wait at the broker from now on. Safe to call twice."""
