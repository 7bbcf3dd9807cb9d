"""The intervals of the worker, and when it looks at the orchestrator in between."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from flops_contracts.declared import declared
from flops_contracts.errors import FlopsError
from flops_manager.ports.state_changes import StateChanges

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rhythm:
    """The intervals of the worker, in seconds.

    ``settle_seconds`` pass before the first look: events that waited at the broker say more than
    the orchestrator's states. Clusters report to the orchestrator every 15 seconds; if it reports
    changes by webhooks, ``heard_watch_seconds`` is often enough. ``first_rest_seconds`` follow a
    command's first failure, and twice as many each further one.
    """

    poll_seconds: float = declared(0.2, "Pause between looks at the outbox.", "FLOPS_POLL_SECONDS")
    watch_seconds: float = declared(
        5.0, "Pause between looks at the orchestrator's services.", "FLOPS_WATCH_SECONDS"
    )
    heard_watch_seconds: float = 15.0
    between_looks_seconds: float = 1.0
    renew_hearing_seconds: float = 60.0
    lease_seconds: float = declared(
        15.0, "How long a dead worker keeps the next one waiting.", "FLOPS_LEASE_SECONDS"
    )
    bus_retry_seconds: float = 2.0
    ask_again_seconds: float = 30.0
    settle_seconds: float = 5.0
    first_rest_seconds: float = 0.2


class Lookout:
    """Decides when to look at the orchestrator: regularly, and soon after a reported change.

    However many changes are reported, there is a pause between two looks.
    """

    def __init__(
        self,
        changes: StateChanges,
        rhythm: Rhythm,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changes = changes
        self._rhythm = rhythm
        self._monotonic = monotonic
        self._looked_at = monotonic()
        self._not_before = 0.0
        self._is_change_reported = False

    def begin(self) -> None:
        """Delay the first look by ``settle_seconds``."""
        self._not_before = self._monotonic() + self._rhythm.settle_seconds

    def is_due(self) -> bool:
        """Return whether to look now; the caller then does."""
        now, rhythm = self._monotonic(), self._rhythm
        regular = rhythm.watch_seconds
        if self._changes.is_heard:
            regular = max(regular, rhythm.heard_watch_seconds)
        pause = min(regular, rhythm.between_looks_seconds) if self._is_change_reported else regular
        if now < max(self._not_before, self._looked_at + pause):
            return False
        self._looked_at, self._is_change_reported = now, False
        return True

    def hear(self, wake: Callable[[], None]) -> None:
        """Subscribe to changes; if that fails, only the regular looks find them."""

        def tell() -> None:
            self._is_change_reported = True
            wake()

        try:
            self._changes.hear(tell)
        except (FlopsError, OSError) as error:
            logger.warning("changes are not reported, only polled: %s", error)

    def stop(self) -> None:
        """Unsubscribe."""
        self._changes.stop()
