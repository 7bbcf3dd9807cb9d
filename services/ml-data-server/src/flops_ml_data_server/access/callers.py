"""Who calls, as far as the server can tell, and the tokens that tell it."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    """The call carries no token, or a wrong one."""

    exit_code = ExitCode.DATA_REJECTED


@dataclass(frozen=True)
class Caller:
    """Who calls, and for which project and customer; the operator may do everything."""

    name: str = ""
    project_id: str = ""
    customer: str = ""
    peer: str = ""
    is_operator: bool = False


@dataclass(frozen=True)
class Doorkeeper:
    """Knows the tokens: the operator's, and those of clients by name. Without any, all may in.

    A client then is who it says it is, and the operator is nobody in the network.
    """

    token: str = field(default="", repr=False)
    clients: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether everybody may in."""
        return not self.token and not self.clients

    def caller(self, headers: Mapping[str, str], peer: str, *, is_inside: bool = False) -> Caller:
        """Return who calls with these headers; raise ``TokenRefusedError``.

        ``is_inside`` are calls from the server's own container, where the operator is.
        """
        told = {name: headers.get(name, "")[:MAX_NAME] for name in _TOLD}
        name, is_operator = told[CLIENT_HEADER], is_inside
        if not self.is_open and not (is_inside and not self.token):
            name = self._name(_bare(headers.get("authorization", "")))
            is_operator = name == OPERATOR
        return Caller(name, told[PROJECT_HEADER], told[CUSTOMER_HEADER], peer, is_operator)

    def _name(self, token: str) -> str:
        found = ""
        known = {**self.clients, **({OPERATOR: self.token} if self.token else {})}
        for name, theirs in known.items():
            # Every token is compared, so that the time tells nothing.
            if hmac.compare_digest(token.encode(), theirs.encode()):
                found = name
        if not found:
            raise TokenRefusedError("the token is missing or wrong")
        return found


_TOLD: Final = (CLIENT_HEADER, PROJECT_HEADER, CUSTOMER_HEADER)


class _Known(flight.ServerMiddleware):  # type: ignore[misc] # pyarrow has no types
    """Keeps who makes the call, and what it is part of."""

    def __init__(self, caller: Caller, trace: str) -> None:
        super().__init__()
        self.caller = caller
        self.trace = trace


class Identify(flight.ServerMiddlewareFactory):  # type: ignore[misc] # pyarrow has no types
    """Asks the doorkeeper at each call of Flight."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        super().__init__()
        self._doorkeeper = doorkeeper

    def start_call(
        self, _info: flight.CallInfo, headers: Mapping[str, Sequence[Any]]
    ) -> flight.ServerMiddleware:
        """Let the call through or raise ``FlightUnauthenticatedError``."""
        plain = {key.lower(): _text(values[-1]) for key, values in headers.items() if values}
        try:
            caller = self._doorkeeper.caller(plain, peer="")
            return _Known(caller, plain.get(TRACE_HEADER, "")[:MAX_NAME])
        except TokenRefusedError as error:
            raise flight.FlightUnauthenticatedError(error.reason) from error


def caller_of(context: flight.ServerCallContext) -> Caller:
    """Return who makes a call of Flight."""
    known = context.get_middleware(MIDDLEWARE)
    caller = known.caller if known is not None else Caller()
    return Caller(
        caller.name,
        caller.project_id,
        caller.customer,
        _text(context.peer()),
        caller.is_operator,
    )


def trace_of(context: flight.ServerCallContext) -> str:
    """Return the traceparent that a call of Flight brings; empty if it brings none."""
    known = context.get_middleware(MIDDLEWARE)
    return known.trace if known is not None else ""


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")


def _bare(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token if scheme.lower() == "bearer" else value
