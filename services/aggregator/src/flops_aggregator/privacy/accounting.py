"""The privacy loss, epsilon, of releases with Gaussian noise.

Every learner takes part in every round, so there is no amplification by sampling, and the
composition is exact: k releases with noise multiplier z equal one with z / sqrt(k) (Dong et al.
2022, "Gaussian Differential Privacy", corollary 3.3). Google's ``dp-accounting`` turns that into
epsilon, by theorem 8 of Balle and Wang 2018, "Improving the Gaussian Mechanism for Differential
Privacy".
"""

import importlib
import math
from typing import Any

from flops_contracts.privacy import DifferentialPrivacy


def epsilon_after(releases: int, private: DifferentialPrivacy) -> float:
    """Return the epsilon of a learner that took part in ``releases`` releases, for its delta."""
    if not releases:
        return 0.0
    # Imported late: it imports SciPy, takes a second, and only private projects need it.
    library: Any = importlib.import_module("dp_accounting")
    sigma = private.sensitivity_multiplier / math.sqrt(releases)
    return float(library.get_epsilon_gaussian(sigma, private.delta))
