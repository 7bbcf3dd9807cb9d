"""The orchestrator port over the API of an Oakestra root, its odd sides included."""

import logging
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from flops_manager.adapters.oakestra_documents import (
    application_sla,
    id_of,
    microservice,
    node_of_cluster,
    nodes_from_workers,
    state_from_document,
)
from flops_manager.adapters.oakestra_session import OakestraSession
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

RESOURCE_PORT: Final = 11012


class Oakestra:
    """Finds by names, creates what is missing."""

    def __init__(self, session: OakestraSession, resource_port: int = RESOURCE_PORT) -> None:
        self._session = session
        self._resource_port = resource_port
        self._ids: dict[ApplicationKey, str] = {}
        self._user_id = ""
        self._lock = threading.Lock()

    def nodes(self) -> Sequence[Node]:
        """Return the active nodes, asked of each cluster's resource API."""
        found: list[Node] = []
        for cluster in self._session.fetch_active_clusters():
            found.extend(self._nodes_of(cluster))
        return tuple(found)

    def create_application(self, application: ApplicationKey) -> None:
        """Make sure that the application exists."""
        self._ensure_application(application)

    def deploy(self, deployment: Deployment) -> Deployed:
        """Make sure that the service exists in its application and has an instance."""
        application_id = self._ensure_application(deployment.application)
        services = self._services(deployment.application)
        if services is None:
            # Somebody deleted the application behind our back.
            application_id = self._ensure_application(deployment.application)
        there = (services or {}).get(deployment.name)
        job_id = id_of(there) if there else self._create(deployment, application_id)
        if not (there and there.get("instance_list")):
            self._session.post(f"/api/service/{job_id}/instance")
        address = str(there.get("RR_ip") or "") if there else deployment.address
        return Deployed(job_id, address)

    def undeploy(self, application: ApplicationKey, name: str, job_id: str = "") -> None:
        """Delete the service with its instance, and make sure that it is gone."""
        if not job_id:
            there = (self._services(application) or {}).get(name)
            if there is None:
                return
            job_id = id_of(there)
        answer = self._session.call("DELETE", f"/api/service/{job_id}")
        if answer.ok:
            return
        # The root answers 500 for a service that it does not know, and for trouble of its own.
        if self._session.get(f"/api/service/{job_id}") is not None:
            raise OrchestratorUnavailableError(
                f"The orchestrator would not delete {name}: {answer.status_code}.",
                hint="Look at the log of its system manager.",
            )

    def states(self, application: ApplicationKey) -> Mapping[str, ServiceState]:
        """Return what is known of the services of an application, by name."""
        services = self._services(application) or {}
        return {name: state_from_document(one) for name, one in services.items()}

    def remove_application(self, application: ApplicationKey) -> None:
        """Delete the application and whatever is left in it."""
        application_id = self._find_application(application)
        if application_id is None:
            return
        answer = self._session.call("DELETE", f"/api/application/{application_id}")
        self._forget(application)
        # 501 is how the root says that there is no such application.
        if not answer.ok and answer.status_code != HTTPStatus.NOT_IMPLEMENTED:
            raise OrchestratorUnavailableError(
                f"The orchestrator would not delete {application.name}: {answer.status_code}.",
                hint="Look at the log of its system manager.",
            )

    def _nodes_of(self, cluster: Mapping[str, Any]) -> tuple[Node, ...]:
        name, host = str(cluster["candidate_name"]), str(cluster.get("ip") or "")
        url = f"http://{host}:{self._resource_port}/api/v1/resources/?active=true"
        try:
            return nodes_from_workers(name, self._session.fetch(url))
        except (OrchestratorUnavailableError, OrchestratorRefusedError) as error:
            logger.warning("cannot list the workers of %s: %s", name, error)
            return (node_of_cluster(cluster),)

    def _create(self, deployment: Deployment, application_id: str) -> str:
        sla = application_sla(
            deployment.application, self._session.user, application_id, microservice(deployment)
        )
        answer = self._session.post("/api/service/", sla)
        if not answer.get("failed_services"):
            return str(answer["job_id"])
        # The answer is 200 all the same, with the id of a service that is no more.
        if deployment.address:
            raise ServiceAddressTakenError(f"{deployment.address} is taken.")
        raise OrchestratorRefusedError(
            f"The orchestrator would not create {deployment.name}.",
            hint="Look at the log of its system manager.",
        )

    def _services(self, application: ApplicationKey) -> dict[str, Any] | None:
        """Return the service documents by name, or None if there is no such application."""
        application_id = self._find_application(application)
        if application_id is None:
            return None
        listed = self._session.get(f"/api/services/{application_id}")
        if listed is None:
            self._forget(application)
            return None
        return {str(one["microservice_name"]): one for one in listed}

    def _ensure_application(self, application: ApplicationKey) -> str:
        found = self._find_application(application)
        if found is not None:
            return found
        sla = application_sla(application, self._session.user)
        answer = self._session.call("POST", "/api/application/", sla)
        if answer.status_code not in {HTTPStatus.OK, HTTPStatus.CONFLICT}:
            kind = (
                OrchestratorUnavailableError
                if answer.status_code >= 500
                else OrchestratorRefusedError
            )
            raise kind(
                f"The orchestrator would not create {application.name}: {answer.status_code}.",
                hint="Look at the log of its system manager.",
            )
        found = self._find_application(application)
        if found is None:
            raise OrchestratorUnavailableError(
                f"The orchestrator does not list {application.name}, which it just created."
            )
        return found

    def _find_application(self, application: ApplicationKey) -> str | None:
        with self._lock:
            known = self._ids.get(application)
        if known is not None:
            return known
        for one in self._session.get(f"/api/applications/{self._own_id()}", missing=[]):
            key = ApplicationKey(one["application_name"], one["application_namespace"])
            with self._lock:
                self._ids[key] = str(one["applicationID"])
        with self._lock:
            return self._ids.get(application)

    def _forget(self, application: ApplicationKey) -> None:
        with self._lock:
            self._ids.pop(application, None)

    def _own_id(self) -> str:
        """Return the manager's user id, by which the root lists applications."""
        with self._lock:
            if self._user_id:
                return self._user_id
        user = self._session.get(f"/api/user/{self._session.user}")
        if not user:
            raise OrchestratorRefusedError(f"The orchestrator has no user {self._session.user}.")
        identifier = user["_id"]
        with self._lock:
            is_wrapped = isinstance(identifier, Mapping)
            self._user_id = str(identifier["$oid"] if is_wrapped else identifier)
            return self._user_id
