"""What can go wrong when a model is served."""

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class ModelUnusableError(FlopsError):
    """The model cannot be loaded, or what serves it stopped."""

    exit_code = ExitCode.MODEL_UNUSABLE
