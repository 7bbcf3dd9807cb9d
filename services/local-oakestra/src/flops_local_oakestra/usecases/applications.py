"""Applications are created, shown and deleted."""

from collections.abc import Callable
from typing import Any

from flops_local_oakestra.domain.documents import Application, Document
from flops_local_oakestra.domain.errors import NotFoundError, RefusedError, TakenNameError
from flops_local_oakestra.domain.sla import check_sla
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.services import Services

_UPDATED = ("application_name", "application_namespace", "application_desc", "microservices")
_NOT_STORED = frozenset({"_id", "action", "microservices", "applicationID"})


class Applications:
    """The clients' operations on applications."""

    def __init__(self, catalogue: Catalogue, services: Services, new_id: Callable[[], str]) -> None:
        self._catalogue = catalogue
        self._services = services
        self._new_id = new_id

    def create(self, sla: Any, user: str) -> list[Document]:
        """Create the SLA's applications with their services; return all that the user has."""
        check_sla(sla)
        with self._catalogue.lock:
            for described in sla["applications"]:
                self._create_one(described, user)
            return self.of_user(user)

    def of_user(self, user: str) -> list[Document]:
        """Return the user's applications."""
        with self._catalogue.lock:
            return [entry.document() for entry in self._catalogue.applications_of(user)]

    def all(self) -> list[Document]:
        """Return the applications of all users."""
        with self._catalogue.lock:
            return [entry.document() for entry in self._catalogue.applications.values()]

    def exists(self, application_id: str, user: str) -> bool:
        """Return whether the user has this application."""
        with self._catalogue.lock:
            return self._catalogue.owned_application(application_id, user) is not None

    def update(self, application_id: str, user: str, fields: Document) -> None:
        """Overwrite the four fields; a field that is missing in the request becomes null."""
        with self._catalogue.lock:
            application = self._catalogue.owned_application(application_id, user)
            if application is None:
                raise NotFoundError(f"{user} has no application {application_id}")
            new = {name: fields.get(name) for name in _UPDATED}
            # Null here would break every later request of the real root; an empty list does not.
            application.service_ids = list(new.pop("microservices") or [])
            application.fields.update(new)

    def delete(self, application_id: str, user: str) -> bool:
        """Delete the application and its services; return whether the user had it."""
        with self._catalogue.lock:
            application = self._catalogue.owned_application(application_id, user)
            if application is None:
                return False
            for service_id in list(application.service_ids):
                self._services.delete(service_id, user)
            del self._catalogue.applications[application_id]
            return True

    def _create_one(self, described: Document, user: str) -> None:
        name, namespace = described["application_name"], described["application_namespace"]
        for application in self._catalogue.applications_of(user):
            fields = application.fields
            if (fields["application_name"], fields["application_namespace"]) == (name, namespace):
                raise TakenNameError(f"{user} has an application {name} in {namespace}")
        fields = {key: value for key, value in described.items() if key not in _NOT_STORED}
        application = Application(self._new_id(), user, fields)
        self._catalogue.applications[application.id] = application
        try:
            self._services.add(application, described["microservices"])
        except RefusedError:
            self.delete(application.id, user)
            raise
