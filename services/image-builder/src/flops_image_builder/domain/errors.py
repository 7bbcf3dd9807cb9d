"""The errors of a build; ``flops_contracts.exit_codes`` explains each class."""

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class RepositoryUnreachableError(FlopsError):
    """The repository or the requested reference cannot be cloned."""

    exit_code = ExitCode.REPOSITORY_UNREACHABLE


class RepositoryInvalidError(FlopsError):
    """The repository is incomplete or has errors; all problems are named."""

    exit_code = ExitCode.REPOSITORY_INVALID


class DependenciesUnresolvableError(FlopsError):
    """A dependency does not exist, or two contradict each other."""

    exit_code = ExitCode.DEPENDENCIES_UNRESOLVABLE


class PythonMissingError(FlopsError):
    """No interpreter that actors can run on was found."""

    exit_code = ExitCode.BUILD_FAILED


class BuildFailedError(FlopsError):
    """The dependencies cannot be installed, or the code cannot be imported."""

    exit_code = ExitCode.BUILD_FAILED


class ImageStoreError(FlopsError):
    """The image store cannot be read or written, or has no base image."""

    exit_code = ExitCode.IMAGE_STORE_FAILED


class TrackingUnreachableError(FlopsError):
    """The tracking server does not answer."""

    exit_code = ExitCode.TRACKING_UNREACHABLE


class ModelUnusableError(FlopsError):
    """The trained model cannot be downloaded, or is not an MLflow model."""

    exit_code = ExitCode.MODEL_UNUSABLE
