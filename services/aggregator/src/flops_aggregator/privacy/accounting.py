"""What Gaussian noise has spent of the privacy of those whose updates it hides.

Everybody takes part in every round, so nothing is gained by sampling, and noise of the same kind
adds up exactly: k releases with the multiplier z are one with z / sqrt(k) (Dong et al. 2022,
"Gaussian Differential Privacy", corollary 3.3). Google's ``dp-accounting`` turns that into epsilon,
by theorem 8 of Balle and Wang 2018, "Improving the Gaussian Mechanism for Differential Privacy".
"""

import importlib
import math
from typing import Any

from flops_contracts.privacy import DifferentialPrivacy


def epsilon_after(releases: int, private: DifferentialPrivacy) -> float:
    """Return what a learner that took part in so many ``releases`` has spent."""
    if not releases:
        return 0.0
    # Imported late: it brings SciPy, takes a second, and only private projects have it.
    library: Any = importlib.import_module("dp_accounting")
    sigma = private.sensitivity_multiplier / math.sqrt(releases)
    return float(library.get_epsilon_gaussian(sigma, private.delta))
