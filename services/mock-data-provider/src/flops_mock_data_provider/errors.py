"""Errors of a dataset before anything is sent."""

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class DatasetUnavailableError(FlopsError):
    """The dataset, or the requested split of it, cannot be loaded."""

    exit_code = ExitCode.DATASET_UNAVAILABLE


class UnsplittableError(FlopsError):
    """The dataset cannot be partitioned as requested."""

    exit_code = ExitCode.DATASET_UNAVAILABLE
