"""Differential privacy over the rounds of an aggregator: clipping norm, noise and budget.

Each release is recorded before a mean leaves the aggregator, so that its successor knows of it.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy

from flops_aggregator.checkpoints.files import ReleaseBook
from flops_aggregator.checkpoints.strategy_state import State
from flops_aggregator.privacy.accounting import epsilon_after
from flops_aggregator.privacy.private_mean import PrivateMean
from flops_aggregator.privacy.protection import Unprotected
from flops_aggregator.privacy.secure_mean import SecureMean
from flops_aggregator.replies.folding import Accumulator, fold_for
from flops_aggregator.replies.requests import Clients
from flops_contracts.orders import TrainOrder
from flops_contracts.privacy import (
    CLIPPING_NORM,
    EPSILON,
    RELEASES,
    AdaptiveClipping,
    DifferentialPrivacy,
)
from flops_grid.updates.clipping import NORM, WANTS_WITHIN, WITHIN, Draw, secret_draw

STATE: Final = "privacy"
"""The key of the state in checkpoints, beside the strategy's."""

COUNT_NOISE_PART: Final = 0.05
"""The noise of the count, as a part of the replies: advised for many of them by Andrew et al."""


class Ledger:
    """The number of releases, and their epsilon."""

    def __init__(self, private: DifferentialPrivacy, book: ReleaseBook) -> None:
        self._private = private
        self._book = book
        self._count = 0
        self._is_read = False
        # Called here, so that an image without the accountant fails before anybody trains.
        epsilon_after(1, private)

    @property
    def count(self) -> int:
        """The number of releases, also by earlier aggregators."""
        if not self._is_read:
            # Late, because a cluster's run is known when its first cycle begins.
            self._count = max(self._count, self._book.releases())
            self._is_read = True
        return self._count

    def spend(self) -> None:
        """Count and record one more release; raise what the book raises."""
        self._count = self.count + 1
        self._book.note_releases(self._count)

    def raise_to(self, count: int) -> None:
        """Raise the number to ``count`` if it is lower."""
        self._count = max(self._count, count)

    @property
    def spent(self) -> float:
        """The epsilon of all releases."""
        return epsilon_after(self.count, self._private)

    def reason_to_stop(self) -> str:
        """Return why there must not be another release; empty if there may."""
        budget = self._private.epsilon_budget
        if not budget:
            return ""
        following = epsilon_after(self.count + 1, self._private)
        if following <= budget:
            return ""
        return (
            f"the privacy budget is spent: epsilon is {self.spent:.4g} after {self.count} rounds, "
            f"another one would make it {following:.4g}, above {budget:g}"
        )


class DifferentiallyPrivate:
    """For an aggregator over learners: it adds noise to the mean, or the learners do to updates."""

    def __init__(
        self,
        training: TrainOrder,
        private: DifferentialPrivacy,
        ledger: Ledger,
        draw: Draw | None = None,
    ) -> None:
        self._training = training
        self._private = private
        self._learners = training.clients
        self._ledger = ledger
        self._draw = draw or secret_draw()
        self._bound = private.clipping_norm
        self._used = self._bound
        self._mean: PrivateMean | None = None

    @property
    def sees_updates(self) -> bool:
        """Return whether there is no secure aggregation as well."""
        return self._training.privacy.secure_aggregation is None

    @property
    def required_metrics(self) -> tuple[str, ...]:
        """Return ``WITHIN`` if learners clip and the norm adapts to how many had to."""
        return (WITHIN,) if self._learners_clip and self._private.adaptive else ()

    def reason_to_stop(self) -> str:
        """See ``Ledger``."""
        return self._ledger.reason_to_stop()

    def config(self) -> dict[str, float]:
        """Return the norm, if learners clip and the aggregator adds the noise."""
        config: dict[str, float] = {NORM: self._bound} if self._learners_clip else {}
        return {**config, WANTS_WITHIN: True} if self.required_metrics else config

    def before_request(self) -> None:
        """Count a release now if each reply is a release by itself."""
        if self._private.is_local:
            self._ledger.spend()

    def accumulator(
        self, strategy: Strategy, sent: ArrayRecord, clients: Clients
    ) -> Accumulator | None:
        """Return a mean with noise, or a plain mean of updates that have noise already."""
        if self._private.is_local:
            return fold_for(strategy, sent)
        self._used = self._bound
        if not self.sees_updates:
            return SecureMean(
                sent,
                clients,
                self._training.privacy,
                self._training.round_timeout_seconds,
                self._draw,
                self._multiplier * self._bound,
            )
        self._mean = PrivateMean(
            sent,
            self._bound,
            self._multiplier,
            self._draw,
            is_clipped_by_learners=self._private.is_clipped_by_learners,
        )
        return self._mean

    def note_release(self, reported: Mapping[str, Mapping[str, float]]) -> None:
        """Count a release, then adapt the norm to the updates."""
        del reported
        if not self._private.is_local:
            self._ledger.spend()
        mean, self._mean = self._mean, None
        if mean and self._private.adaptive:
            self._bound = self._next_bound(mean, self._private.adaptive)

    def metrics(self) -> dict[str, float]:
        """Return the epsilon and releases so far, and the norm of this round."""
        spent = {EPSILON: self._ledger.spent, RELEASES: float(self._ledger.count)}
        return spent if self._private.is_local else {**spent, CLIPPING_NORM: self._used}

    def state(self) -> State:
        """Return the count and the norm as arrays."""
        state = np.array([self._ledger.count, self._bound], np.float64)
        return {STATE: ArrayRecord({"0": Array(state)})}

    def restore(self, state: State) -> None:
        """Restore the norm, and the number of releases if it is higher."""
        if STATE in state:
            count, bound = state[STATE]["0"].numpy()
            self._ledger.raise_to(int(count))
            self._bound = float(bound)

    @property
    def _learners_clip(self) -> bool:
        """Return whether the learners clip their updates to a norm from the aggregator."""
        return self._private.is_clipped_by_learners and not self._private.is_local

    @property
    def _multiplier(self) -> float:
        """The noise multiplier of the mean; the noise of the count uses a part of the budget."""
        z, noise = self._private.noise_multiplier, self._count_noise
        # One learner moves the count by a half if 0 and 1 are read as -1/2 and +1/2.
        return (z**-2 - (2 * noise) ** -2) ** -0.5 if noise else z

    @property
    def _count_noise(self) -> float:
        """The standard deviation of the noise on the count of updates within the norm.

        For few learners ``COUNT_NOISE_PART`` would be less than the multiplier allows.
        """
        adaptive = self._private.adaptive
        if not adaptive:
            return 0.0
        fitting = max(self._private.noise_multiplier, COUNT_NOISE_PART * self._learners)
        return adaptive.count_noise or fitting

    def _next_bound(self, mean: PrivateMean, adaptive: AdaptiveClipping) -> float:
        """Move the norm towards the quantile.

        Andrew et al. 2021, "Differentially Private Learning with Adaptive Clipping", section 3.1.
        """
        noise = float(self._draw.standard_normal()) * self._count_noise
        within = (mean.within + noise) / mean.count
        return self._bound * math.exp(-adaptive.learning_rate * (within - adaptive.quantile))


class PrivateRoot(Unprotected):
    """For an aggregator over aggregators: their means are private; it counts their releases."""

    required_metrics: tuple[str, ...] = (RELEASES,)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def reason_to_stop(self) -> str:
        """See ``Ledger``."""
        return self._ledger.reason_to_stop()

    def note_release(self, reported: Mapping[str, Mapping[str, float]]) -> None:
        """Take the highest number of the clusters: each learner is in one of them."""
        counts = [int(metrics.get(RELEASES, 0)) for metrics in reported.values()]
        self._ledger.raise_to(max(counts))

    def metrics(self) -> dict[str, float]:
        """Return the epsilon and the releases so far."""
        return {EPSILON: self._ledger.spent, RELEASES: float(self._ledger.count)}

    def state(self) -> State:
        """Return the number of releases."""
        return {STATE: ArrayRecord({"0": Array(np.array([self._ledger.count], np.float64))})}

    def restore(self, state: State) -> None:
        """Restore the number of releases if it is higher."""
        if STATE in state:
            self._ledger.raise_to(int(state[STATE]["0"].numpy()[0]))
