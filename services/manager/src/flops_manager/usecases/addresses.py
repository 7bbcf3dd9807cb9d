"""Deploying a service at an address of its own inside the overlay."""

from collections.abc import Callable
from typing import Final

from flops_manager.domain.deployments import Deployment, service_address
from flops_manager.domain.errors import OrchestratorRefusedError, ServiceAddressTakenError
from flops_manager.ports.orchestrator import Deployed, Orchestrator

ADDRESSES_TO_TRY: Final = 16


def deploy_at_free_address(
    orchestrator: Orchestrator, key: str, describe: Callable[[str], Deployment]
) -> Deployed:
    """Deploy at the first address derived from ``key`` that nobody has."""
    for attempt in range(ADDRESSES_TO_TRY):
        try:
            return orchestrator.deploy(describe(service_address(key, attempt)))
        except ServiceAddressTakenError:
            continue
    raise OrchestratorRefusedError(
        f"The orchestrator refused {ADDRESSES_TO_TRY} service addresses for {key}.",
        hint="Look whether its network manager answers and has addresses left.",
    )
