"""The errors of a training, besides those of the user's code."""

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class TooFewLearnersError(FlopsError):
    """Fewer learners than the minimum joined or replied in time."""

    exit_code = ExitCode.TOO_FEW_LEARNERS


class TrackingUnreachableError(FlopsError):
    """The tracking server cannot be reached."""

    exit_code = ExitCode.TRACKING_UNREACHABLE


class ModelUnusableError(FlopsError):
    """No round had a usable model, or the best one cannot be stored."""

    exit_code = ExitCode.MODEL_UNUSABLE
