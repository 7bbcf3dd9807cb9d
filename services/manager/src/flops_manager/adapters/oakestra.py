"""The orchestrator port over the API of an Oakestra root, with its peculiarities."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flops_manager.adapters.oakestra_applications import OakestraApplications
from flops_manager.adapters.oakestra_documents import (
    application_sla,
    id_of,
    instances_of,
    is_under_way,
    microservice,
    published_port_of,
    state_from_document,
    was_deployed,
)
from flops_manager.adapters.oakestra_nodes import RESOURCE_PORT, OakestraNodes
from flops_manager.adapters.oakestra_session import LOG_HINT, OakestraSession, understanding
from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.errors import (
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    ServiceAddressTakenError,
)
from flops_manager.domain.nodes import Node
from flops_manager.domain.states import ServiceState
from flops_manager.ports.orchestrator import Deployed

logger = logging.getLogger(__name__)

STUCK_SECONDS: Final = 120.0
"""An instance that is not placed by then never will be: the root forgets those it cannot place."""

ROUNDS: Final = 3
"""How often the removal of instances that the root left over is repeated."""


class Oakestra:
    """Finds by names, creates what is missing, and verifies that it was done."""

    def __init__(
        self,
        session: OakestraSession,
        resource_port: int = RESOURCE_PORT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._applications = OakestraApplications(session)
        self._nodes = OakestraNodes(session, resource_port)
        self._monotonic = monotonic
        self._asked_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def nodes(self) -> Sequence[Node]:
        """Return the active nodes of all clusters."""
        return self._nodes.list()

    def create_application(self, application: ApplicationKey) -> None:
        """Make sure that the application exists."""
        self._applications.ensure(application)

    def deploy(self, deployment: Deployment) -> Deployed:
        """Make sure that the service exists in its application and has an instance."""
        self._applications.ensure(deployment.application)
        services = self._services(deployment.application)
        existing = (services or {}).get(deployment.name)
        # Without a list somebody deleted the application meanwhile; it is created again.
        service = existing or self._create(deployment)
        with understanding(f"GET /api/service ({deployment.name})"):
            job_id = id_of(service)
            if self._needs_an_instance(job_id, service):
                self._start(job_id, service, deployment.name)
            address = str(service.get("RR_ip") or "") if existing else deployment.address
            port = published_port_of(service) if existing else deployment.port
        return Deployed(job_id, address, port)

    def undeploy(self, application: ApplicationKey, name: str, job_id: str = "") -> None:
        """Delete the service with all instances, and make sure that it is gone."""
        if not job_id:
            service = (self._services(application) or {}).get(name)
            if service is None:
                return
            job_id = id_of(service)
        self._delete(job_id, name)

    def states(self, application: ApplicationKey) -> Mapping[str, ServiceState]:
        """Return the states of an application's services by name."""
        services = self._services(application) or {}
        with understanding(f"GET /api/services ({application.name})"):
            return {name: state_from_document(each) for name, each in services.items()}

    def remove_application(self, application: ApplicationKey) -> None:
        """Delete the application and everything in it."""
        for name, service in (self._services(application) or {}).items():
            # The root would delete them, too, but leave every second instance behind.
            self._delete(id_of(service), name)
        self._applications.remove(application)

    def _create(self, deployment: Deployment) -> Mapping[str, Any]:
        """Create the service and return its document, which may be that of an older one.

        Names are global: it may be a service of somebody else's application.
        """
        application_id = self._applications.ensure(deployment.application)
        sla = application_sla(
            deployment.application, self._session.user, application_id, microservice(deployment)
        )
        answer = self._session.post("/api/service/", sla)
        with understanding("POST /api/service/"):
            if answer.get("failed_services"):
                # The answer is 200 nevertheless, with the id of a service that is gone.
                raise _not_created(deployment)
            job_id = str(answer["job_id"])
        return self._existing(job_id, deployment.name)

    def _start(self, job_id: str, service: Mapping[str, Any], name: str) -> None:
        """Request an instance, and verify that the root did it: the answer is always ok."""
        for instance in instances_of(service):
            self._remove_instance(job_id, instance)
        self._session.post(f"/api/service/{job_id}/instance")
        with self._lock:
            self._asked_at[job_id] = self._monotonic()
        if not was_deployed(self._existing(job_id, name)):
            raise OrchestratorUnavailableError(
                f"The orchestrator answered ok, but did not deploy {name}.", hint=LOG_HINT
            )

    def _needs_an_instance(self, job_id: str, service: Mapping[str, Any]) -> bool:
        """Return whether a new instance is needed: none was requested, or it failed or is stuck."""
        if is_under_way(service):
            with self._lock:
                asked_at = self._asked_at.setdefault(job_id, self._monotonic())
            return self._monotonic() - asked_at > STUCK_SECONDS
        return not instances_of(service)

    def _delete(self, job_id: str, name: str) -> None:
        with self._lock:
            self._asked_at.pop(job_id, None)
        service = self._session.get(f"/api/service/{job_id}")
        if service is None:
            return
        with understanding(f"GET /api/service/{job_id}"):
            self._leave_one_instance(job_id, name, service)
        answer = self._session.delete(f"/api/service/{job_id}")
        # The root answers 500 both for an unknown service and for internal errors.
        if not answer.ok and self._session.get(f"/api/service/{job_id}") is not None:
            raise OrchestratorUnavailableError(
                f"The orchestrator refused to delete {name}: {answer.status_code}.", hint=LOG_HINT
            )

    def _leave_one_instance(self, job_id: str, name: str, service: Mapping[str, Any]) -> None:
        """Remove all instances but the first one by one: deleting the service skips every second.

        The service is deleted even if some cannot be removed: at its next report, a cluster drops
        instances of services that the root no longer has.
        """
        for _ in range(ROUNDS):
            surplus = instances_of(service)[1:]
            if not surplus:
                return
            for instance in surplus:
                self._remove_instance(job_id, instance)
            service = self._session.get(f"/api/service/{job_id}") or {}
        logger.warning("instances of %s are left at the orchestrator: %s", name, job_id)

    def _remove_instance(self, job_id: str, instance: Mapping[str, Any]) -> None:
        self._session.delete(f"/api/service/{job_id}/instance/{instance['instance_number']}")

    def _existing(self, job_id: str, name: str) -> Mapping[str, Any]:
        service: Mapping[str, Any] | None = self._session.get(f"/api/service/{job_id}")
        if service is None:
            raise OrchestratorUnavailableError(
                f"The orchestrator does not have {name}, which it has just accepted.", hint=LOG_HINT
            )
        return service

    def _services(self, application: ApplicationKey) -> Mapping[str, Mapping[str, Any]] | None:
        """Return the service documents by name, or None if there is no such application."""
        application_id = self._applications.find(application)
        if application_id is None:
            return None
        path = f"/api/services/{application_id}"
        listed = self._session.get(path)
        if listed is None:
            self._applications.forget(application)
            return None
        with understanding(f"GET {path}"):
            return {str(service["microservice_name"]): service for service in listed}


def _not_created(deployment: Deployment) -> ServiceAddressTakenError | OrchestratorRefusedError:
    if deployment.address:
        return ServiceAddressTakenError(f"{deployment.address} is taken.")
    return OrchestratorRefusedError(
        f"The orchestrator refused to create {deployment.name}.", hint=LOG_HINT
    )
