"""The sender of a request, and the customer it is for."""

import ipaddress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from flask import Request

from flops_contracts.api.queries import Query
from flops_manager.domain.errors import NotAllowedError, NotAuthenticatedError
from flops_manager.entrypoints.api.incoming import InvalidRequestError, customers_in
from flops_manager.ports.tokens import TokenVerifier
from flops_manager.usecases.caller import Caller

Q_co = TypeVar("Q_co", bound=Query, covariant=True)


@dataclass(frozen=True)
class Sender:
    """The verified caller and the customer they act for; an Admin may name another than itself."""

    caller: Caller
    customer: str


@dataclass(frozen=True)
class Call(Generic[Q_co]):
    """The arguments of a view: the sender, and the query."""

    sender: Sender
    query: Q_co

    @property
    def caller(self) -> Caller:
        """The verified caller."""
        return self.sender.caller

    @property
    def customer(self) -> str:
        """The customer they act for."""
        return self.sender.customer

    @property
    def scope(self) -> Caller:
        """The caller for lists: an Admin who names a customer sees what that customer sees."""
        if self.customer == self.caller.user:
            return self.caller
        return Caller(user=self.customer)


class Senders(Protocol):
    """Authenticates the sender of a request."""

    def of(self, request: Request, *, is_sla: bool) -> Sender:
        """Return the sender; raise an error that is answered with 400, 401, 403 or 503."""


class VerifiedSenders:
    """Trusts tokens that the orchestrator issued, and nothing else."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    def of(self, request: Request, *, is_sla: bool) -> Sender:
        """See ``Senders``."""
        identity = self._verifier.verify(_token(request))
        caller = Caller(user=identity.user, is_admin=identity.is_admin)
        customers = customers_in(request, is_sla=is_sla)
        for customer in customers:
            caller.require_customer(customer)
        return Sender(caller, _one(customers) or caller.user)


class UnverifiedSenders:
    """Trusts every request, for the embedded mode on loopback.

    A web page that is open on this machine could send requests too. Those that a browser marks
    as foreign, and host names that could mean another machine (DNS rebinding), are refused.
    """

    def of(self, request: Request, *, is_sla: bool) -> Sender:
        """See ``Senders``."""
        origin = request.headers.get("Origin")
        if not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            raise NotAllowedError(
                f"Without authentication only this machine is served, not '{request.host}'.",
                hint="Use the loopback address, or set FLOPS_AUTH=on.",
            )
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise NotAllowedError("Without authentication no other web site may call.")
        customer = _one(customers_in(request, is_sla=is_sla))
        return Sender(Caller(user=customer, is_admin=True), customer)


def is_loopback(host: str) -> bool:
    """Return whether ``host`` can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _one(customers: tuple[str, ...]) -> str:
    if len(set(customers)) > 1:
        raise InvalidRequestError({"customerID": ["Query and body name different customers."]})
    return customers[0] if customers else ""


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticatedError(
            "There is no token in the request.",
            hint="Log in at the root orchestrator and send 'Authorization: Bearer <token>'.",
        )
    return token.strip()
