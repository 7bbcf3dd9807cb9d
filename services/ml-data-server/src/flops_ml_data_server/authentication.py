"""The token that a data server may demand; without one, everybody on the node's network may ask."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyarrow import flight

MIDDLEWARE: Final = "token"


class _Admitted(flight.ServerMiddleware):  # type: ignore[misc] # pyarrow has no types
    """Marks a call whose token was right; there is nothing left to do."""


class TokenCheck(flight.ServerMiddlewareFactory):  # type: ignore[misc] # pyarrow has no types
    """Refuses every call that does not carry the token in its ``authorization`` header."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token.encode()

    def start_call(
        self, _info: flight.CallInfo, headers: Mapping[str, Sequence[Any]]
    ) -> flight.ServerMiddleware:
        """Let the call through or raise ``FlightUnauthenticatedError``."""
        given = [
            value
            for key, values in headers.items()
            if key.lower() == "authorization"
            for value in values
        ]
        if not any(hmac.compare_digest(_bare(value), self._token) for value in given):
            raise flight.FlightUnauthenticatedError("the token is missing or wrong")
        return _Admitted()


def _bare(value: str | bytes) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    scheme, _, token = data.partition(b" ")
    return token if scheme.lower() == b"bearer" else data
