"""A customer's tracking server, as the manager uses it."""

from typing import Protocol

from flops_contracts.events import Trained


class Runs(Protocol):
    """Finds the results of trainings in MLflow."""

    def forget(self, url: str, experiment: str, trained: Trained | None) -> None:
        """Delete the experiment with its runs, and the model version; fine if there is none.

        Raises ``TrackingUnavailableError``.
        """
