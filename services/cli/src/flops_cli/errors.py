"""The errors that users of the command line or the client meet, and their exit codes."""

from collections.abc import Sequence
from enum import IntEnum, unique
from typing import Any, ClassVar

from flops_contracts.errors import FlopsError
from flops_flight.errors import (
    DataRejectedError,
    DataServerUnreachableError,
    InvalidRequestError,
    NoDataError,
)


@unique
class CliExitCode(IntEnum):
    """Exit codes of ``flops``; 2 is click's code for wrong arguments."""

    DONE = 0
    BUG = 1
    USAGE = 2
    REFUSED = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    UNREACHABLE = 6
    FAILED = 7
    CANCELLED = 8
    LOCAL_FAILED = 9
    INTERRUPTED = 130


EXPLANATIONS: dict[CliExitCode, str] = {
    CliExitCode.DONE: "Success.",
    CliExitCode.BUG: "An unexpected error: a bug in FLOps.",
    CliExitCode.USAGE: "The arguments are wrong, or a file cannot be read.",
    CliExitCode.REFUSED: "The server refused the request, for example an invalid SLA.",
    CliExitCode.NOT_ALLOWED: "Not logged in, or the object belongs to somebody else.",
    CliExitCode.NOT_FOUND: "There is no such project, mock, model or fragment.",
    CliExitCode.UNREACHABLE: "The manager, the root or the data server does not answer.",
    CliExitCode.FAILED: "The watched project or mock failed.",
    CliExitCode.CANCELLED: "The watched project was cancelled.",
    CliExitCode.LOCAL_FAILED: "The embedded suite could not be installed or started, or crashed.",
    CliExitCode.INTERRUPTED: "Ctrl-C. Local processes are stopped; projects and mocks go on.",
}


_CODES_OF_OTHERS: dict[type[FlopsError], CliExitCode] = {
    DataServerUnreachableError: CliExitCode.UNREACHABLE,
    DataRejectedError: CliExitCode.REFUSED,
    InvalidRequestError: CliExitCode.REFUSED,
    NoDataError: CliExitCode.NOT_FOUND,
}
"""Errors of shared packages; any other of theirs is a wrong setting."""


def exit_code_of(error: FlopsError) -> CliExitCode:
    """Return the exit code of ``flops`` after an error of a shared package."""
    return _CODES_OF_OTHERS.get(type(error), CliExitCode.USAGE)


class ClientError(Exception):
    """An expected failure: its reason, a hint what to change, and each single problem if known."""

    exit_code: ClassVar[CliExitCode] = CliExitCode.BUG

    def __init__(self, message: str, hint: str = "", errors: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.errors = tuple(errors)


class RefusedError(ClientError):
    """The server rejected the request; ``errors`` has each problem with its path."""

    exit_code = CliExitCode.REFUSED


class NotAllowedError(ClientError):
    """The token is missing, has expired, or does not allow this."""

    exit_code = CliExitCode.NOT_ALLOWED


class NotFoundError(ClientError):
    """The object does not exist or is not visible to this user."""

    exit_code = CliExitCode.NOT_FOUND


class UnreachableError(ClientError):
    """The server does not answer, or reports that it is unavailable."""

    exit_code = CliExitCode.UNREACHABLE


class UnreadableFileError(ClientError):
    """A file that the user named cannot be read as JSON."""

    exit_code = CliExitCode.USAGE


class ProjectFailedError(ClientError):
    """The watched project or mock ended in ``failed``."""

    exit_code = CliExitCode.FAILED


class ProjectCancelledError(ClientError):
    """The watched project ended in ``cancelled``."""

    exit_code = CliExitCode.CANCELLED


class LocalSuiteError(ClientError):
    """The embedded suite cannot be installed or started, or one of its processes ended."""

    exit_code = CliExitCode.LOCAL_FAILED
