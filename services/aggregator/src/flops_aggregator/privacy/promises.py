"""The protection that a project's settings promise to its learners."""

from flwr.app import ArrayRecord
from flwr.serverapp.strategy import Strategy

from flops_aggregator.checkpoints.files import ReleaseBook
from flops_aggregator.privacy.differential_privacy import (
    DifferentiallyPrivate,
    Ledger,
    PrivateRoot,
)
from flops_aggregator.privacy.protection import UNPROTECTED, Protection, Unprotected
from flops_aggregator.privacy.secure_mean import SecureMean
from flops_aggregator.replies.folding import Accumulator
from flops_aggregator.replies.requests import Clients
from flops_contracts.orders import TrainOrder
from flops_grid.updates.clipping import secret_draw


class Secret(Unprotected):
    """Secure aggregation without noise: the aggregator sees only the mean of the updates."""

    sees_updates = False

    def __init__(self, training: TrainOrder) -> None:
        self._privacy = training.privacy
        self._timeout_seconds = training.round_timeout_seconds

    def accumulator(
        self, strategy: Strategy, sent: ArrayRecord, clients: Clients
    ) -> Accumulator | None:
        """Return a mean whose masks the learners help to remove."""
        del strategy
        return SecureMean(sent, clients, self._privacy, self._timeout_seconds, secret_draw())


def build_protection(training: TrainOrder, book: ReleaseBook) -> Protection:
    """Return the protection for the settings; ``book`` has the number of releases so far."""
    private = training.privacy.differential_privacy
    is_secret = training.privacy.secure_aggregation and not training.leads_clusters
    if not private:
        return Secret(training) if is_secret else UNPROTECTED
    ledger = Ledger(private, book)
    if training.leads_clusters:
        return PrivateRoot(ledger)
    return DifferentiallyPrivate(training, private, ledger)
