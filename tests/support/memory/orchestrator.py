"""An orchestrator and data servers in memory."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flops_contracts.api.answers import TagStats
from flops_contracts.errors import FlopsError
from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.errors import ServiceAddressTakenError
from flops_manager.domain.nodes import Node
from flops_manager.domain.states import Health, ServiceState
from flops_manager.ports.orchestrator import Deployed


class MemoryDataServers:
    """Data servers by node address; an address that is not in ``held`` does not answer."""

    def __init__(self, held: Mapping[str, Mapping[str, TagStats]] | None = None) -> None:
        self.held: dict[str, Mapping[str, TagStats]] = dict(held or {})

    def stats(self, address: str) -> Mapping[str, TagStats] | None:
        """Return what was put in."""
        return self.held.get(address)


@dataclass
class _Running:
    deployment: Deployment
    state: ServiceState


@dataclass
class MemoryOrchestrator:
    """An orchestrator that runs nothing: what is deployed is RUNNING until a test changes it.

    ``failures`` are raised by the next calls, one each; ``fates`` are what services of a name look
    like, however often they are deployed.
    """

    landscape: tuple[Node, ...] = ()
    applications: set[ApplicationKey] = field(default_factory=set)
    taken_addresses: set[str] = field(default_factory=set)
    failures: list[FlopsError] = field(default_factory=list)
    deployed: list[Deployment] = field(default_factory=list)
    fates: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._services: dict[str, _Running] = {}
        self._lock = threading.RLock()

    def running(self) -> dict[str, Deployment]:
        """Return what runs, by service name."""
        with self._lock:
            return {name: item.deployment for name, item in self._services.items()}

    def change_state(self, name: str, **changes: Any) -> None:
        """Make a service look different from now on."""
        with self._lock:
            running = self._services[name]
            running.state = replace(running.state, **changes)

    def destine(self, name: str, **fate: Any) -> None:
        """Make a service look different from now on, also if it is deployed again."""
        with self._lock:
            self.fates[name] = fate
            self.change_state(name, **fate)

    def nodes(self) -> Sequence[Node]:
        """Return what the test put in."""
        self._fail_if_requested()
        return self.landscape

    def create_application(self, application: ApplicationKey) -> None:
        """Remember it."""
        self._fail_if_requested()
        self.applications.add(application)

    def deploy(self, deployment: Deployment) -> Deployed:
        """Run it, in words."""
        self._fail_if_requested()
        with self._lock:
            running = self._services.get(deployment.name)
            if running is None:
                others = {service.deployment.address for service in self._services.values()}
                if deployment.address and deployment.address in others | self.taken_addresses:
                    raise ServiceAddressTakenError(f"{deployment.address} is taken.")
                self.applications.add(deployment.application)
                self.deployed.append(deployment)
                number = len(self.deployed)
                state = ServiceState(
                    job_id=f"job{number}",
                    health=Health.RUNNING,
                    status="RUNNING",
                    public_address=f"192.0.2.{number % 250}",
                    port=deployment.port,
                )
                state = replace(state, **self.fates.get(deployment.name, {}))
                running = self._services[deployment.name] = _Running(deployment, state)
            state, deployed = running.state, running.deployment
            return Deployed(state.job_id, deployed.address, deployed.port)

    def undeploy(self, application: ApplicationKey, name: str, job_id: str = "") -> None:
        """Run it no more."""
        del application, job_id
        self._fail_if_requested()
        with self._lock:
            self._services.pop(name, None)

    def states(self, application: ApplicationKey) -> Mapping[str, ServiceState]:
        """Return the states of the services."""
        self._fail_if_requested()
        with self._lock:
            return {
                name: item.state
                for name, item in self._services.items()
                if item.deployment.application == application
            }

    def remove_application(self, application: ApplicationKey) -> None:
        """Forget it and whatever is in it."""
        self._fail_if_requested()
        with self._lock:
            self.applications.discard(application)
            for name in list(self.states(application)):
                del self._services[name]

    def _fail_if_requested(self) -> None:
        with self._lock:
            if self.failures:
                raise self.failures.pop(0)
