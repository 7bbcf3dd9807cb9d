"""The orchestrator, as the manager uses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.nodes import Node
from flops_manager.domain.states import ServiceState


@dataclass(frozen=True)
class Deployed:
    """A service that is at the orchestrator, with the address and port that it requested."""

    job_id: str
    address: str = ""
    port: int = 0


class Orchestrator(Protocol):
    """Runs services, found or created by their names.

    Every method raises ``OrchestratorUnavailableError`` where trying again may help, and
    ``OrchestratorRefusedError`` where it does not.
    """

    def nodes(self) -> Sequence[Node]:
        """Return the active nodes of all clusters."""

    def create_application(self, application: ApplicationKey) -> None:
        """Make sure that the application exists."""

    def deploy(self, deployment: Deployment) -> Deployed:
        """Make sure that the service exists in its application and has an instance.

        Raises ``ServiceAddressTakenError`` if another service has the address. One that exists
        keeps the address and the port that it has.
        """

    def undeploy(self, application: ApplicationKey, name: str, job_id: str = "") -> None:
        """Stop and delete the service; it is fine if there is none.

        ``job_id`` saves the search for the name, and may be unknown.
        """

    def states(self, application: ApplicationKey) -> Mapping[str, ServiceState]:
        """Return the states of the services of an application, by name."""

    def remove_application(self, application: ApplicationKey) -> None:
        """Delete the application and whatever is left in it; it is fine if there is none."""
