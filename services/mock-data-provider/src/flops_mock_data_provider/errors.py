"""What can go wrong with a dataset before anything is sent."""

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class DatasetUnavailableError(FlopsError):
    """The dataset, or the asked split of it, cannot be loaded."""

    exit_code = ExitCode.DATASET_UNAVAILABLE


class UnsplittableError(FlopsError):
    """The dataset is there, but cannot be partitioned as asked."""

    exit_code = ExitCode.DATASET_UNAVAILABLE
