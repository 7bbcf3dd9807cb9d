"""The place of an aggregator in the tree of aggregators."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """The defaults are a root's.

    ``cluster`` is the cluster of the clients if it has a name, ``cycle`` the exchange with the
    parent that the rounds belong to. ``run_id`` returns the run in MLflow for aggregators below,
    empty if it is not known yet; it may wait a moment.
    """

    cluster: str = ""
    cycle: int | None = None
    run_id: Callable[[], str] = lambda: ""

    @property
    def is_root(self) -> bool:
        """Return whether there is no parent."""
        return self.cycle is None

    def exchange(self, number: int, rounds: int) -> int:
        """Return the number of a round over all cycles of ``rounds`` rounds, from 1."""
        return ((self.cycle or 1) - 1) * rounds + number
