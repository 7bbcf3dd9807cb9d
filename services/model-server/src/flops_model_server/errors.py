"""The errors of serving a model."""

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class ModelUnusableError(FlopsError):
    """The model cannot be loaded, or its server stopped."""

    exit_code = ExitCode.MODEL_UNUSABLE
