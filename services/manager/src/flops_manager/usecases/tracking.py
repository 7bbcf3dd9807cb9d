"""The tracking server (MLflow) of each customer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from flops_contracts.ports import TRACKING_PORT
from flops_manager.domain.deployments import Installation, observatory
from flops_manager.domain.descriptions import describe_tracking
from flops_manager.domain.errors import (
    OrchestratorUnavailableError,
)
from flops_manager.domain.services import tracking_service
from flops_manager.domain.states import Health, ServiceState
from flops_manager.ports.leases import Leases
from flops_manager.ports.orchestrator import Deployed, Orchestrator
from flops_manager.usecases.addresses import Addresses
from flops_manager.usecases.answers import TrackingServer
from flops_manager.usecases.caller import Caller

LEASE_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 5.0
"""How long a call waits while another one deploys the server."""


class Tracking:
    """Finds or deploys tracking servers. ``holder`` names this process in leases."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        addresses: Addresses,
        leases: Leases,
        installation: Installation,
        holder: str,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._orchestrator = orchestrator
        self._addresses = addresses
        self._leases = leases
        self._installation = installation
        self._holder = holder
        self._patience_seconds = patience_seconds

    def url_for(self, caller: Caller, customer: str = "") -> TrackingServer:
        """Return ``(url, is_running)`` of a customer's server (default: the caller's own).

        Deploys it if it is absent, and returns within seconds the URL that it has or will have:
        until the orchestrator has scheduled it, that is its address inside the overlay.
        Raises ``NotAllowedError`` for another customer's unless the caller is an Admin.
        """
        customer_id = customer or caller.user
        caller.require_customer(customer_id)
        deployed = self.ensure(customer_id)
        state = self._state(customer_id)
        is_running = state is not None and state.health is Health.RUNNING
        inside = f"http://{deployed.address}:{deployed.port or TRACKING_PORT}"
        return TrackingServer(self._public_url(customer_id, state) or inside, is_running)

    def found(self, customer_id: str) -> str:
        """Return the URL of a customer's server from outside; empty if none runs."""
        return self._public_url(customer_id, self._state(customer_id))

    def ensure(self, customer_id: str) -> Deployed:
        """Make sure that a customer's server is deployed; return its address.

        Only one call deploys at a time: two would start two instances.
        """
        name = tracking_service(customer_id)
        with self._alone(customer_id):
            port = self._addresses.port_for(name)
            return self._addresses.deploy(
                name,
                lambda address: describe_tracking(customer_id, self._installation, address, port),
            )

    def _state(self, customer_id: str) -> ServiceState | None:
        states = self._orchestrator.states(observatory(customer_id))
        return states.get(tracking_service(customer_id))

    def _public_url(self, customer_id: str, state: ServiceState | None) -> str:
        return self._addresses.public_url(tracking_service(customer_id), state, TRACKING_PORT)

    @contextmanager
    def _alone(self, customer_id: str) -> Iterator[None]:
        """Hold the lease on a customer's server; threads of one process exclude each other too."""
        lease, holder = f"tracking/{customer_id}", f"{self._holder}/{uuid4().hex}"
        wait = Retrying(
            retry=retry_if_result(lambda is_mine: not is_mine),
            stop=stop_after_delay(self._patience_seconds),
            wait=wait_fixed(0.1),
            retry_error_callback=lambda _: False,
        )
        if not wait(self._leases.acquire, lease, holder, LEASE_SECONDS):
            raise OrchestratorUnavailableError(
                "The tracking server is being deployed right now.", hint="Try again in a moment."
            )
        try:
            yield
        finally:
            self._leases.release(lease, holder)
