"""From what a project promised about its learners' data to who keeps it over the rounds."""

from flwr.app import ArrayRecord
from flwr.serverapp.strategy import Strategy

from flops_aggregator.privacy.differential_privacy import (
    Book,
    DifferentiallyPrivate,
    Ledger,
    TreesRoot,
)
from flops_aggregator.privacy.protection import UNPROTECTED, Protection, Unprotected
from flops_aggregator.privacy.secure_mean import SecureMean
from flops_aggregator.replies.asking import Clients
from flops_aggregator.replies.folding import Gathering
from flops_aggregator.settings import TrainingSettings
from flops_grid.updates.clipping import secret_draw


class Secret(Unprotected):
    """Sees no update, only their mean."""

    sees_updates = False

    def __init__(self, training: TrainingSettings) -> None:
        self._privacy = training.privacy
        self._timeout_seconds = training.round_timeout_seconds

    def gather(self, strategy: Strategy, sent: ArrayRecord, clients: Clients) -> Gathering | None:
        """Return what asks the learners to open their sum."""
        del strategy
        return SecureMean(sent, clients, self._privacy, self._timeout_seconds, secret_draw())


def build_protection(training: TrainingSettings, book: Book) -> Protection:
    """Return what the settings promise."""
    private = training.privacy.differential_privacy
    is_secret = training.privacy.secure_aggregation and not training.leads_clusters
    if not private:
        return Secret(training) if is_secret else UNPROTECTED
    ledger = Ledger(private, book)
    if training.leads_clusters:
        return TreesRoot(ledger)
    return DifferentiallyPrivate(training, private, ledger)
