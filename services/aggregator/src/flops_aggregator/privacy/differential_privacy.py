"""Differential privacy over the rounds of an aggregator: the norm, the noise, and what is spent.

What was spent is written down before a mean leaves the aggregator, so that one that was replaced
does not forget it.
"""

import math
from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy

from flops_aggregator.checkpoints.strategy_state import Kept
from flops_aggregator.privacy.accounting import epsilon_after
from flops_aggregator.privacy.private_mean import PrivateMean
from flops_aggregator.privacy.protection import Unprotected
from flops_aggregator.privacy.secure_mean import SecureMean
from flops_aggregator.replies.asking import Clients
from flops_aggregator.replies.folding import Gathering, fold_for
from flops_aggregator.settings import TrainingSettings
from flops_contracts.privacy import (
    CLIPPING_NORM,
    EPSILON,
    RELEASES,
    AdaptiveClipping,
    DifferentialPrivacy,
)
from flops_grid.updates.clipping import NORM, WANTS_WITHIN, WITHIN, Draw, secret_draw

STATE: Final = "privacy"
"""Under what it is kept in checkpoints, beside what the strategy has learnt."""

COUNT_NOISE_PART: Final = 0.05
"""Of the answers: the count's noise that Andrew et al. advise for many of them."""


class Book(Protocol):
    """Where it is written how many releases there were."""

    def releases(self) -> int:
        """Return how many whoever did this training before has let out."""

    def note_releases(self, count: int) -> None:
        """Write down how many there are, and wait until that is done."""


class Ledger:
    """How many releases there were, and what that is in epsilon."""

    def __init__(self, private: DifferentialPrivacy, book: Book) -> None:
        self._private = private
        self._book = book
        self._count = 0
        self._is_read = False
        # Found out here, so that an image without the accountant fails before anybody trains.
        epsilon_after(1, private)

    @property
    def count(self) -> int:
        """How many releases there were, also by an aggregator before this one."""
        if not self._is_read:
            # Late, for a cluster's run is known when its first cycle begins.
            self._count = max(self._count, self._book.releases())
            self._is_read = True
        return self._count

    def spend(self) -> None:
        """Count one more, and have it written down; raise what the book raises."""
        self._count = self.count + 1
        self._book.note_releases(self._count)

    def at_least(self, count: int) -> None:
        """Know that there were so many."""
        self._count = max(self._count, count)

    @property
    def spent(self) -> float:
        """The epsilon of all releases."""
        return epsilon_after(self.count, self._private)

    def why_not_on(self) -> str:
        """Return why there may be no release more; empty if there may."""
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
    """An aggregator over learners: its means are noisy, or its learners' updates are already."""

    def __init__(
        self,
        training: TrainingSettings,
        private: DifferentialPrivacy,
        ledger: Ledger,
        draw: Draw | None = None,
    ) -> None:
        self._training = training
        self._private = private
        self._learners = training.learners
        self._ledger = ledger
        self._draw = draw or secret_draw()
        self._bound = private.clipping_norm
        self._used = self._bound
        self._mean: PrivateMean | None = None

    @property
    def sees_updates(self) -> bool:
        """Whether the sum is not secure as well."""
        return self._training.privacy.secure_aggregation is None

    @property
    def wanted(self) -> tuple[str, ...]:
        """Whether there was something to shorten, if learners do it and the norm follows that."""
        return (WITHIN,) if self._asks_learners and self._private.adaptive else ()

    def why_not_on(self) -> str:
        """See ``Ledger``."""
        return self._ledger.why_not_on()

    def told(self) -> dict[str, float]:
        """Return the norm, if learners shorten and the aggregator adds the noise."""
        told: dict[str, float] = {NORM: self._bound} if self._asks_learners else {}
        return {**told, WANTS_WITHIN: True} if self.wanted else told

    def asks(self) -> None:
        """Spend already, if what learners answer is a release by itself."""
        if self._private.is_local:
            self._ledger.spend()

    def gather(self, strategy: Strategy, sent: ArrayRecord, clients: Clients) -> Gathering | None:
        """Return a mean with noise, or a plain one of updates that have it already."""
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

    def releases(self, reported: Mapping[str, Mapping[str, float]]) -> None:
        """Spend, then let the norm follow the updates."""
        del reported
        if not self._private.is_local:
            self._ledger.spend()
        mean, self._mean = self._mean, None
        if mean and self._private.adaptive:
            self._bound = self._next_bound(mean, self._private.adaptive)

    def metrics(self) -> dict[str, float]:
        """Return what was spent by now, and the norm of this round."""
        spent = {EPSILON: self._ledger.spent, RELEASES: float(self._ledger.count)}
        return spent if self._private.is_local else {**spent, CLIPPING_NORM: self._used}

    def kept(self) -> Kept:
        """Return the count and the norm as arrays."""
        state = np.array([self._ledger.count, self._bound], np.float64)
        return {STATE: ArrayRecord({"0": Array(state)})}

    def give(self, kept: Kept) -> None:
        """Take the norm, and what was spent if that is more."""
        if STATE in kept:
            count, bound = kept[STATE]["0"].numpy()
            self._ledger.at_least(int(count))
            self._bound = float(bound)

    @property
    def _asks_learners(self) -> bool:
        """Whether the aggregator decides on a norm that learners shorten their updates to."""
        return self._private.is_clipped_by_learners and not self._private.is_local

    @property
    def _multiplier(self) -> float:
        """The noise of the mean; the count's noise takes its part of what both may spend."""
        z, noise = self._private.noise_multiplier, self._count_noise
        # One learner moves the count by a half, when 0 and 1 are taken for minus and plus that.
        return (z**-2 - (2 * noise) ** -2) ** -0.5 if noise else z

    @property
    def _count_noise(self) -> float:
        """The standard deviation of the count of updates that need not be shortened.

        A part of few learners would be less than the multiplier allows.
        """
        adaptive = self._private.adaptive
        if not adaptive:
            return 0.0
        fitting = max(self._private.noise_multiplier, COUNT_NOISE_PART * self._learners)
        return adaptive.count_noise or fitting

    def _next_bound(self, mean: PrivateMean, adaptive: AdaptiveClipping) -> float:
        """Move the norm towards the quantile: Andrew et al. 2021, section 3.1."""
        noise = float(self._draw.standard_normal()) * self._count_noise
        within = (mean.within + noise) / mean.count
        return self._bound * math.exp(-adaptive.learning_rate * (within - adaptive.quantile))


class TreesRoot(Unprotected):
    """An aggregator over aggregators: their means are private, it counts what they spent."""

    wanted: tuple[str, ...] = (RELEASES,)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def why_not_on(self) -> str:
        """See ``Ledger``."""
        return self._ledger.why_not_on()

    def releases(self, reported: Mapping[str, Mapping[str, float]]) -> None:
        """Hear what the clusters spent: a learner is in one of them only."""
        self._ledger.at_least(max(int(one.get(RELEASES, 0)) for one in reported.values()))

    def metrics(self) -> dict[str, float]:
        """Return what was spent by now."""
        return {EPSILON: self._ledger.spent, RELEASES: float(self._ledger.count)}

    def kept(self) -> Kept:
        """Return the count."""
        return {STATE: ArrayRecord({"0": Array(np.array([self._ledger.count], np.float64))})}

    def give(self, kept: Kept) -> None:
        """Know what was spent."""
        if STATE in kept:
            self._ledger.at_least(int(kept[STATE]["0"].numpy()[0]))
