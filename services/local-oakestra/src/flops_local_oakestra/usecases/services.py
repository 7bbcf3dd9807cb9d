"""Services are added to applications, shown and deleted."""

import logging
from collections.abc import Callable
from typing import Any

from flops_local_oakestra.domain.addresses import is_acceptable_service_address
from flops_local_oakestra.domain.documents import (
    Application,
    Document,
    Service,
    service_fields,
)
from flops_local_oakestra.domain.errors import BrokenDescriptorError, NotFoundError
from flops_local_oakestra.domain.sla import check_sla
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.deployments import Deployments
from flops_local_oakestra.usecases.reports import Reports

logger = logging.getLogger(__name__)


class Services:
    """The clients' operations on services."""

    def __init__(
        self,
        catalogue: Catalogue,
        deployments: Deployments,
        reports: Reports,
        new_id: Callable[[], str],
    ) -> None:
        self._catalogue = catalogue
        self._deployments = deployments
        self._reports = reports
        self._new_id = new_id

    def create(self, sla: Any, user: str) -> Document:
        """Add the services of the SLA's first application to the application that it names."""
        check_sla(sla)
        if not sla["applications"] or "applicationID" not in sla["applications"][0]:
            raise BrokenDescriptorError("applications[0].applicationID is missing")
        described = sla["applications"][0]
        with self._catalogue.lock:
            application = self._catalogue.owned_application(described["applicationID"], user)
            if application is None:
                raise NotFoundError(f"{user} has no application {described['applicationID']}")
            return self.add(application, described["microservices"])

    def add(self, application: Application, microservices: list[Document]) -> Document:
        """Add services; return which were added or refused, and the last id in either case."""
        deployed: list[Document] = []
        failed: list[Document] = []
        last_id = ""
        for microservice in microservices:
            fields = service_fields(application, microservice)
            name = fields["service_name"]
            with self._catalogue.lock:
                service = self._insert(fields)
                last_id = service.id
                application.service_ids.append(service.id)
                if self._is_address_refused(service):
                    self.delete(service.id, application.user)
                    failed.append(_failed(name))
                else:
                    deployed.append({"service_name": name, "status": 200})
        return {"job_id": last_id, "deployed_services": deployed, "failed_services": failed}

    def get(self, service_id: str, user: str) -> Document | None:
        """Return a service that one of the user's applications lists."""
        with self._catalogue.lock:
            if self._catalogue.application_with(service_id, user) is None:
                return None
            service = self._catalogue.services.get(service_id)
        return self._documents([service])[0] if service else None

    def of_application(self, application_id: str, user: str) -> list[Document] | None:
        """Return the services of the user's application, or None if it does not exist."""
        with self._catalogue.lock:
            if self._catalogue.owned_application(application_id, user) is None:
                return None
            services = [
                service
                for service in self._catalogue.services.values()
                if service.application_id == application_id
            ]
        return self._documents(services)

    def all(self) -> list[Document]:
        """Return the services of all users."""
        with self._catalogue.lock:
            services = list(self._catalogue.services.values())
        return self._documents(services)

    def delete(self, service_id: str, user: str) -> bool:
        """Stop and remove a service; return whether one of the user's applications listed it."""
        with self._catalogue.lock:
            application = self._catalogue.application_with(service_id, user)
            if application is None:
                return False
            application.service_ids.remove(service_id)
            service = self._catalogue.services.pop(service_id, None)
            if service:
                self._deployments.drop(service)
                self._catalogue.notify("jobs", service.id, "post_delete")
            return True

    def _insert(self, fields: Document) -> Service:
        """Return the new service, or the one of that name with its document overwritten."""
        service = self._catalogue.service_named(fields["job_name"])
        if service is None:
            service = Service(self._new_id(), fields)
            self._catalogue.services[service.id] = service
            event = "post_create"
        else:
            self._deployments.replace(service)
            service.fields.update(fields)
            event = "post_update"
        service.fields["microserviceID"] = service.id
        # The root writes new services by PUT, whose entity has this other name.
        self._catalogue.notify("job", service.id, event)
        return service

    def _is_address_refused(self, service: Service) -> bool:
        address = service.fields.get("RR_ip")
        if address is None:
            return False
        others = [
            other.job_name
            for other in self._catalogue.services.values()
            if other is not service and other.service_address == address
        ]
        if others:
            logger.warning("%s: address %s belongs to %s", service.job_name, address, others[0])
        elif not is_acceptable_service_address(address):
            logger.warning("%s: address %s is not in 10.30.0.0/16", service.job_name, address)
        else:
            return False
        return True

    def _documents(self, services: list[Service]) -> list[Document]:
        with self._catalogue.lock:
            numbers = [[entry.number for entry in service.instances] for service in services]
        # Logs are read from files, so without holding the lock.
        reports = [
            self._reports.about(service.id, listed)
            for service, listed in zip(services, numbers, strict=True)
        ]
        with self._catalogue.lock:
            return [
                service.document(report) for service, report in zip(services, reports, strict=True)
            ]


def _failed(name: str) -> Document:
    return {"service_name": name, "message": "failed to deploy service", "status": 500}
