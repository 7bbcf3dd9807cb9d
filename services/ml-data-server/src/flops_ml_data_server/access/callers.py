"""Callers, identified by their tokens and headers."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pyarrow import flight

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_flight.messages import (
    CLIENT_HEADER,
    CUSTOMER_HEADER,
    PROJECT_HEADER,
    TRACE_HEADER,
)

MIDDLEWARE: Final = "caller"
OPERATOR: Final = "operator"
MAX_NAME: Final = 200


class TokenRefusedError(FlopsError):
    """The call has no token or a wrong one."""

    exit_code = ExitCode.DATA_REJECTED


@dataclass(frozen=True)
class Caller:
    """A caller, and its project and customer; the operator may do everything."""

    name: str = ""
    project_id: str = ""
    customer_id: str = ""
    peer: str = ""
    is_operator: bool = False


@dataclass(frozen=True)
class Doorkeeper:
    """The tokens of the operator and of clients by name.

    Without any tokens, all callers are admitted under the name that they state, and no caller in
    the network is the operator.
    """

    token: str = field(default="", repr=False)
    clients: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_open(self) -> bool:
        """Return whether no token is needed."""
        return not self.token and not self.clients

    def caller(self, headers: Mapping[str, str], peer: str, *, is_inside: bool = False) -> Caller:
        """Return the caller with these headers; raise ``TokenRefusedError``.

        Calls from the server's own container (``is_inside``) are the operator's.
        """
        client, project_id, customer_id = (
            headers.get(name, "")[:MAX_NAME]
            for name in (CLIENT_HEADER, PROJECT_HEADER, CUSTOMER_HEADER)
        )
        name, is_operator = client, is_inside
        if not self.is_open and not (is_inside and not self.token):
            name = self._name(_bare(headers.get("authorization", "")))
            is_operator = name == OPERATOR
        return Caller(name, project_id, customer_id, peer, is_operator)

    def _name(self, token: str) -> str:
        owner = ""
        tokens = {**self.clients, **({OPERATOR: self.token} if self.token else {})}
        for name, candidate in tokens.items():
            # Every token is compared, so that the time reveals nothing.
            if hmac.compare_digest(token.encode(), candidate.encode()):
                owner = name
        if not owner:
            raise TokenRefusedError("the token is missing or wrong")
        return owner


class _Identified(flight.ServerMiddleware):  # type: ignore[misc] # pyarrow has no types
    """The caller of a call, and the trace that it belongs to."""

    def __init__(self, caller: Caller, trace: str) -> None:
        super().__init__()
        self.caller = caller
        self.trace = trace


class Identify(flight.ServerMiddlewareFactory):  # type: ignore[misc] # pyarrow has no types
    """Identifies the caller of each Flight call."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        super().__init__()
        self._doorkeeper = doorkeeper

    def start_call(
        self, _info: flight.CallInfo, headers: Mapping[str, Sequence[Any]]
    ) -> flight.ServerMiddleware:
        """Admit the call, or raise ``FlightUnauthenticatedError``."""
        plain = {key.lower(): _text(values[-1]) for key, values in headers.items() if values}
        try:
            caller = self._doorkeeper.caller(plain, peer="")
            return _Identified(caller, plain.get(TRACE_HEADER, "")[:MAX_NAME])
        except TokenRefusedError as error:
            raise flight.FlightUnauthenticatedError(error.reason) from error


def caller_of(context: flight.ServerCallContext) -> Caller:
    """Return the caller of a Flight call."""
    identified = context.get_middleware(MIDDLEWARE)
    caller = identified.caller if identified is not None else Caller()
    return replace(caller, peer=_text(context.peer()))


def trace_of(context: flight.ServerCallContext) -> str:
    """Return the traceparent of a Flight call; empty if it has none."""
    identified = context.get_middleware(MIDDLEWARE)
    return identified.trace if identified is not None else ""


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")


def _bare(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token if scheme.lower() == "bearer" else value
