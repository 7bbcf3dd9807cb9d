"""What a training asks of who keeps the promises about its learners' data, and who keeps none."""

from collections.abc import Mapping
from typing import Final, Protocol

from flwr.app import ArrayRecord
from flwr.serverapp.strategy import Strategy

from flops_aggregator.checkpoints.strategy_state import Kept
from flops_aggregator.replies.asking import Clients
from flops_aggregator.replies.folding import Gathering, fold_for


class Protection(Protocol):
    """What a training asks before, during and after each round."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """The metrics that a train reply has to have besides."""

    @property
    def sees_updates(self) -> bool:
        """Whether train replies have parameters."""

    def why_not_on(self) -> str:
        """Return why there may not be another round; empty if there may."""

    def told(self) -> dict[str, float]:
        """Return what learners have to know in a round."""

    def asks(self) -> None:
        """Hear that learners are about to be asked."""

    def gather(self, strategy: Strategy, sent: ArrayRecord, clients: Clients) -> Gathering | None:
        """Return what takes the round's replies, or None where they all have to be there."""

    def releases(self, reported: Mapping[str, Mapping[str, float]]) -> None:
        """Hear that what replies with these metrics came to is about to be told."""

    def metrics(self) -> dict[str, float]:
        """Return what a round's metrics say of it."""

    def kept(self) -> Kept:
        """Return what whoever goes on has to know."""

    def give(self, kept: Kept) -> None:
        """Know that; what was spent meanwhile stays spent."""


class Unprotected:
    """Promises nothing: replies are folded where the strategy and their size allow it."""

    wanted: tuple[str, ...] = ()
    sees_updates: bool = True

    def why_not_on(self) -> str:
        """Return nothing."""
        return ""

    def told(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def asks(self) -> None:
        """Count nothing."""

    def gather(self, strategy: Strategy, sent: ArrayRecord, clients: Clients) -> Gathering | None:
        """Return a fold or None."""
        del clients
        return fold_for(strategy, sent)

    def releases(self, reported: Mapping[str, Mapping[str, float]]) -> None:
        """Count nothing."""

    def metrics(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def kept(self) -> Kept:
        """Return nothing."""
        return {}

    def give(self, kept: Kept) -> None:
        """Forget it."""


UNPROTECTED: Final = Unprotected()
