"""Where in the tree of aggregators a training runs."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """The defaults are a root's.

    ``cluster`` is the cluster of the clients if that is known, ``cycle`` the exchange with the
    parent that the rounds belong to, and ``run_id`` tells the run in MLflow for aggregators below,
    and may wait a moment for it; empty is not known yet.
    """

    cluster: str = ""
    cycle: int | None = None
    run_id: Callable[[], str] = lambda: ""

    @property
    def is_root(self) -> bool:
        """Whether there is no parent."""
        return self.cycle is None

    def exchange(self, number: int, rounds: int) -> int:
        """Count the exchanges with the clients over all cycles of ``rounds``, from 1."""
        return ((self.cycle or 1) - 1) * rounds + number
