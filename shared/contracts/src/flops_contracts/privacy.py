"""Privacy that a project may promise for its learners' data, and its requirements.

Differential privacy is a learner's: of its whole data set, in the model that each round releases.
Two runs are neighbours when they differ by what one learner answered, which may be nothing ("zero
out", Kairouz et al. 2021, "Practical and Private (Deep) Learning Without Sampling or Shuffling").
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any, Final

from flops_contracts.declared import about, declared, strict

RELEASES: Final = "privacy_releases"
EPSILON: Final = "epsilon"
CLIPPING_NORM: Final = "clipping_norm"
"""Metrics of a round: how many noisy means the learners gave something to, what they have spent by
that, and the bound of an update's norm in this round."""


@unique
class DpModel(StrEnum):
    """The place of the noise: the aggregator's mean, or each learner's own update."""

    CENTRAL = "central"
    LOCAL = "local"


@unique
class Clipper(StrEnum):
    """The actor that clips updates."""

    SERVER = "server"
    LEARNER = "learner"


def _fraction(default: float, help: str) -> Any:
    return declared(default, help, above=0, below=1)


@strict()
@dataclass(frozen=True)
class AdaptiveClipping:
    """A bound that follows a quantile of the updates' norms, by a count with noise of its own.

    Andrew et al. 2021, "Differentially Private Learning with Adaptive Clipping".
    """

    quantile: float = _fraction(0.5, "Quantile of the norms that the bound follows.")
    learning_rate: float = declared(0.2, "How fast it follows.", above=0)
    count_noise: float = declared(
        0.0, "Standard deviation of the count; 0: what fits the number of replies.", minimum=0
    )


@strict()
@dataclass(frozen=True)
class DifferentialPrivacy:
    """Updates are clipped to the norm ``clipping_norm``; noise hides what one of them changed.

    The noise's standard deviation in each coordinate is ``noise_multiplier`` x ``clipping_norm``:
    of the sum of all updates in the central model (McMahan et al. 2018, "Learning Differentially
    Private Recurrent Language Models"), of each update in the local one.
    """

    clipping_norm: float = field(metadata=about("Largest norm of an update.", above=0))
    noise_multiplier: float = field(
        metadata=about("Standard deviation of the noise, in units of the norm.", above=0)
    )
    model: DpModel = declared(DpModel.CENTRAL, "Who adds noise: the aggregator or each learner.")
    clipping: Clipper = declared(Clipper.SERVER, "Who clips updates.")
    adaptive: AdaptiveClipping | None = declared(None, "Adapts the norm to the updates.")
    delta: float = _fraction(1e-5, "The delta of (epsilon, delta)-differential privacy.")
    epsilon_budget: float = declared(
        0.0, "Training ends before it would spend more than this; 0: no bound.", minimum=0
    )

    @property
    def is_local(self) -> bool:
        """True if only the learner itself sees its update."""
        return self.model is DpModel.LOCAL

    @property
    def is_clipped_by_learners(self) -> bool:
        """True if learners clip their own updates."""
        return self.is_local or self.clipping is Clipper.LEARNER

    @property
    def sensitivity_multiplier(self) -> float:
        """The noise in units of the most that one learner can change.

        In the local model, where any two updates must look alike, they differ by twice the norm.
        """
        return self.noise_multiplier / 2 if self.is_local else self.noise_multiplier


LEAST_MEMBERS: Final = 3
"""Of a secure sum: one of two tells each of them what the other gave."""


@strict()
@dataclass(frozen=True)
class SecureAggregation:
    """The aggregator gets the sum of the learners' updates, and no single one of them."""

    threshold: float = declared(
        2 / 3,
        "Fraction of the learners that is needed to unmask the sum, and that could unmask an "
        "update together with the aggregator.",
        above=0.5,
        maximum=1,
    )
    bound: float = declared(
        8.0, "Each number of an update is clipped to between minus and plus this.", above=0
    )


@strict()
@dataclass(frozen=True)
class Privacy:
    """The mechanisms that protect the data of learners."""

    differential_privacy: DifferentialPrivacy | None = declared(
        None, "Noise that hides what one learner contributed."
    )
    secure_aggregation: SecureAggregation | None = declared(
        None, "Hides single updates from the aggregator."
    )


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
