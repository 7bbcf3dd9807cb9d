"""Runs that exist in memory only."""

from flops_contracts.events import Trained


class MemoryRuns:
    """Remembers what was to be forgotten."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def forget(self, url: str, experiment: str, trained: Trained | None) -> None:
        """See the port."""
        del url, trained
        self.forgotten.append(experiment)
