"""The interface between the rounds and what protects the learners' data in them."""

from collections.abc import Mapping
from typing import Final, Protocol

from flwr.app import ArrayRecord
from flwr.serverapp.strategy import Strategy

from flops_aggregator.checkpoints.strategy_state import State
from flops_aggregator.replies.folding import Accumulator, fold_for
from flops_aggregator.replies.requests import Clients


class Protection(Protocol):
    """Called before, during and after each round."""

    @property
    def required_metrics(self) -> tuple[str, ...]:
        """The additional metrics that a train reply must have."""

    @property
    def sees_updates(self) -> bool:
        """Return whether train replies have parameters."""

    def reason_to_stop(self) -> str:
        """Return why there must not be another round; empty if there may."""

    def config(self) -> dict[str, float]:
        """Return the additional config for the learners."""

    def before_request(self) -> None:
        """Called before the train messages are sent."""

    def accumulator(
        self, strategy: Strategy, sent: ArrayRecord, clients: Clients
    ) -> Accumulator | None:
        """Return what takes the replies of a round, or None if it needs all of them at once."""

    def note_release(self, reported: Mapping[str, Mapping[str, float]]) -> None:
        """Called with the replies' metrics before the mean of the round leaves the aggregator."""

    def metrics(self) -> dict[str, float]:
        """Return additional metrics of the round."""

    def state(self) -> State:
        """Return the state for a checkpoint."""

    def restore(self, state: State) -> None:
        """Restore the state; a spent budget never shrinks."""


class Unprotected:
    """Protects nothing: replies are folded where the strategy and their size allow it."""

    required_metrics: tuple[str, ...] = ()
    sees_updates: bool = True

    def reason_to_stop(self) -> str:
        """Return nothing."""
        return ""

    def config(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def before_request(self) -> None:
        """Count nothing."""

    def accumulator(
        self, strategy: Strategy, sent: ArrayRecord, clients: Clients
    ) -> Accumulator | None:
        """Return a fold or None."""
        del clients
        return fold_for(strategy, sent)

    def note_release(self, reported: Mapping[str, Mapping[str, float]]) -> None:
        """Count nothing."""

    def metrics(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def state(self) -> State:
        """Return nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Ignore the state."""


UNPROTECTED: Final = Unprotected()
