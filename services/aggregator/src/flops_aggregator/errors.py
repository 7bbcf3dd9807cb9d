"""Why a training may fail, besides the user's own code."""

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class TooFewLearnersError(FlopsError):
    """Fewer learners than the minima joined or answered in time."""

    exit_code = ExitCode.TOO_FEW_LEARNERS


class TrackingUnreachableError(FlopsError):
    """The tracking server does not answer."""

    exit_code = ExitCode.TRACKING_UNREACHABLE


class ModelUnusableError(FlopsError):
    """No round gave a usable model, or the best one cannot be stored."""

    exit_code = ExitCode.MODEL_UNUSABLE
