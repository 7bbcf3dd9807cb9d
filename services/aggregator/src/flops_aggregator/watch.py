"""Reports joining and leaving clients, and the rounds, to MQTT and MLflow."""

import logging
from typing import Protocol

from flops_aggregator.metrics import CLIENTS, EXPECTED, ROUND_SECONDS, ROUNDS
from flops_contracts.events import Kind, LearnerPresence, RoundCompleted, RoundStarted
from flops_grid.server.connections import Presence
from flops_runtime.reporting import Reporter

logger = logging.getLogger(__name__)


class RoundBook(Protocol):
    """Records rounds."""

    def check(self) -> None:
        """Raise if the training must not continue without the records."""

    def record_round(self, completed: RoundCompleted) -> None:
        """Record a round in the background."""


class Watch:
    """Reports to both; ``expected`` is the number of clients that were started."""

    def __init__(self, reporter: Reporter, book: RoundBook, expected: int) -> None:
        self._reporter = reporter
        self._book = book
        self._expected = expected
        EXPECTED.set(expected)

    def presence_changed(self, presence: Presence) -> None:
        """Report a client that joined or left."""
        kind = Kind.LEARNER_JOINED if presence.is_present else Kind.LEARNER_LEFT
        CLIENTS.set(presence.present)
        logger.info("%s: %s (%d)", kind, presence.learner, presence.present)
        self._reporter.report(
            kind,
            LearnerPresence(presence.learner, presence.present, self._expected, presence.reason),
        )

    def round_started(self, started: RoundStarted) -> None:
        """Report it; raise if there is no tracking server by now."""
        self._book.check()
        kind = "cycle" if started.is_cycle else "round"
        self._reporter.status.doing(f"{kind} {started.round}", started.round, started.rounds)
        self._reporter.status.training(round_=started.round)
        self._reporter.report(Kind.ROUND_STARTED, started)

    def round_completed(self, completed: RoundCompleted) -> None:
        """Report and record it."""
        logger.info(
            "%s %d of %d: loss %s, accuracy %s, %.2f s",
            "cycle" if completed.is_cycle else "round",
            completed.round,
            completed.rounds,
            completed.loss,
            completed.accuracy,
            completed.seconds,
        )
        ROUNDS.inc()
        ROUND_SECONDS.observe(completed.seconds)
        self._book.record_round(completed)
        self._reporter.report(Kind.ROUND_COMPLETED, completed)

    def waits(self, reason: str) -> None:
        """Report what the training waits for."""
        self._reporter.progress(reason)

    def noticed(self, message: str) -> None:
        """Report it."""
        self._reporter.notice(message)
