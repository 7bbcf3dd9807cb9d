"""What a project may promise about the data of its learners, and what the promise takes.

Differential privacy is a learner's: of its whole data set, in the model that each round releases.
Two runs are neighbours when they differ by what one learner answered, which may be nothing ("zero
out", Kairouz et al. 2021, "Practical and Private (Deep) Learning Without Sampling or Shuffling").
"""

import math
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

RELEASES: Final = "privacy_releases"
EPSILON: Final = "epsilon"
CLIPPING_NORM: Final = "clipping_norm"
"""Metrics of a round: how many noisy means the learners gave something to, what they have spent by
that, and the bound of an update's norm in this round."""


@unique
class DpModel(StrEnum):
    """Who adds noise: the aggregator to the mean, or each learner to its own update."""

    CENTRAL = "central"
    LOCAL = "local"


@unique
class Clipper(StrEnum):
    """Who shortens updates."""

    SERVER = "server"
    LEARNER = "learner"


@dataclass(frozen=True)
class AdaptiveClipping:
    """A bound that follows a quantile of the updates' norms, by a count with noise of its own.

    Andrew et al. 2021, "Differentially Private Learning with Adaptive Clipping". ``count_noise`` is
    the standard deviation of the count; 0 is what fits the number of answers.
    """

    quantile: float = 0.5
    learning_rate: float = 0.2
    count_noise: float = 0.0


@dataclass(frozen=True)
class DifferentialPrivacy:
    """Updates are shortened to the norm ``clipping_norm``; noise hides what one of them changed.

    The noise's standard deviation in each coordinate is ``noise_multiplier`` x ``clipping_norm``:
    of the sum of all updates in the central model (McMahan et al. 2018, "Learning Differentially
    Private Recurrent Language Models"), of each update in the local one. Training ends before
    ``epsilon_budget`` would be exceeded; 0 is no bound.
    """

    clipping_norm: float
    noise_multiplier: float
    model: DpModel = DpModel.CENTRAL
    clipping: Clipper = Clipper.SERVER
    adaptive: AdaptiveClipping | None = None
    delta: float = 1e-5
    epsilon_budget: float = 0.0

    @property
    def is_local(self) -> bool:
        """Whether nobody but the learner itself sees what it learnt."""
        return self.model is DpModel.LOCAL

    @property
    def is_clipped_by_learners(self) -> bool:
        """Whether learners shorten their updates themselves."""
        return self.is_local or self.clipping is Clipper.LEARNER

    @property
    def sensitivity_multiplier(self) -> float:
        """The noise in units of the most that one learner can change.

        In the local model, where any two updates must look alike, they differ by twice the norm.
        """
        return self.noise_multiplier / 2 if self.is_local else self.noise_multiplier


LEAST_MEMBERS: Final = 3
"""Of a secure sum: one of two tells each of them what the other gave."""


@dataclass(frozen=True)
class SecureAggregation:
    """The aggregator gets the sum of the learners' updates, and sees none of them.

    As long as ``threshold``, a part of the learners, are there to open it; so many together with
    the aggregator could open another's. Each number of an update is told exactly within plus and
    minus ``bound``, and cut to it.
    """

    threshold: float = 2 / 3
    bound: float = 8.0


@dataclass(frozen=True)
class Privacy:
    """The mechanisms that protect learners; None is without."""

    differential_privacy: DifferentialPrivacy | None = None
    secure_aggregation: SecureAggregation | None = None


NO_PRIVACY: Final = Privacy()


def delta_of_gaussian(epsilon: float, multiplier: float) -> float:
    """Return the least delta for ``epsilon`` of Gaussian noise with this multiplier.

    Theorem 8 of Balle and Wang 2018, "Improving the Gaussian Mechanism for Differential Privacy".
    """
    mean, spread = 1 / (2 * multiplier), epsilon * multiplier
    first, second = _upper_tail(spread - mean), _upper_tail(spread + mean)
    # What is too small for a number is nothing, however large the factor before it is.
    return first - (math.exp(min(epsilon, 700)) * second if second else 0.0)


def _upper_tail(value: float) -> float:
    """Return how probable it is that a standard normal number is above ``value``."""
    return math.erfc(value / math.sqrt(2)) / 2
