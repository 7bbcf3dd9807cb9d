"""Errors of the data plane; on the wire they are JSON beside Flight's own message."""

import json
from typing import Final

from pyarrow import ArrowException, flight

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class DataServerUnreachableError(FlopsError):
    """The data server does not answer in time, or ended the connection."""

    exit_code = ExitCode.DATA_SERVER_UNREACHABLE


class DataRejectedError(FlopsError):
    """The data server refuses: a name, a size, a full disk, a token."""

    exit_code = ExitCode.DATA_REJECTED


class NotAllowedError(DataRejectedError):
    """The rules of the tag do not admit this client."""


class NoDataError(FlopsError):
    """The requested data do not exist, or are too few."""

    exit_code = ExitCode.NO_DATA


class UnlikeDataError(FlopsError):
    """The fragments for one dataset have different columns."""

    exit_code = ExitCode.NO_DATA


class InvalidRequestError(FlopsError):
    """A ticket, criteria or an action's body cannot be read, or requests something impossible."""

    exit_code = ExitCode.BAD_SETTINGS


_ON_THE_WIRE: Final[dict[str, type[FlopsError]]] = {
    kind.__name__: kind
    for kind in (
        DataServerUnreachableError,
        DataRejectedError,
        NotAllowedError,
        NoDataError,
        UnlikeDataError,
        InvalidRequestError,
    )
}


def flight_error(error: FlopsError) -> flight.FlightServerError:
    """Return the Flight error for ``error``: readable for any client, exact for ours."""
    document = {"error": type(error).__name__, "reason": error.reason, "hint": error.hint}
    text = f"{error.reason}. {error.hint}" if error.hint else error.reason
    return flight.FlightServerError(text, json.dumps(document).encode())


def error_from_flight(error: Exception, address: str) -> FlopsError:
    """Return the error of ours for an error of Flight; raise it ``from`` the latter."""
    sent = _sent_error(error)
    if sent is not None:
        return sent
    if isinstance(error, flight.FlightUnauthenticatedError | flight.FlightUnauthorizedError):
        return DataRejectedError(
            f"the data server at {address} refuses this client",
            hint="Check FLOPS_DATA_SERVER_TOKEN.",
        )
    if isinstance(error, flight.FlightTimedOutError):
        return DataServerUnreachableError(f"the data server at {address} did not answer in time")
    return DataServerUnreachableError(
        f"the data server at {address} does not answer: {_first_line(error)}",
        hint="Check that the node runs the FLOps-learner addon, and that this is the address of "
        "its data server; its port is usually 11027.",
    )


def _sent_error(error: Exception) -> FlopsError | None:
    try:
        document = json.loads(getattr(error, "extra_info", b"") or b"null")
        return _ON_THE_WIRE[document["error"]](document["reason"], hint=document["hint"])
    except (KeyError, TypeError, ValueError):
        return None


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:300] if lines else type(error).__name__


TRANSPORT_ERRORS: Final = (flight.FlightError, ArrowException, OSError)
"""The errors of failed calls; pyarrow raises Flight's, Arrow's and Python's own."""
