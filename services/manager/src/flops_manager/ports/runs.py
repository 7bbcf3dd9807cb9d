"""What the manager asks of a customer's tracking server."""

from typing import Protocol

from flops_contracts.events import Trained


class Runs(Protocol):
    """Knows what trainings left in MLflow."""

    def forget(self, url: str, experiment: str, trained: Trained | None) -> None:
        """Delete the experiment with its runs, and the model version; fine if there is none.

        Raises ``TrackingUnavailableError``.
        """
