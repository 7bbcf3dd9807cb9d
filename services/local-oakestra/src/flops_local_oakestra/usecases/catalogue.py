"""All applications and services, in memory: a restart forgets them, and stops what they ran."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from flops_local_oakestra.domain.documents import Application, Service
from flops_local_oakestra.domain.statuses import Status


@dataclass
class Catalogue:
    """The root's database. Who reads or writes it holds ``lock``, and waits for nothing then.

    ``notify`` is told entity, id and event of what changed, as the real one tells its webhooks.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    applications: dict[str, Application] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    notify: Callable[[str, str, str], None] = lambda *_: None

    def owned_application(self, application_id: str, user: str) -> Application | None:
        """Return the application if it is there and belongs to ``user``."""
        application = self.applications.get(application_id)
        return application if application and application.user == user else None

    def applications_of(self, user: str) -> list[Application]:
        """Return the applications of ``user``, oldest first."""
        return [entry for entry in self.applications.values() if entry.user == user]

    def application_with(self, service_id: str, user: str) -> Application | None:
        """Return the user's first application that lists the service."""
        found = (entry for entry in self.applications_of(user) if service_id in entry.service_ids)
        return next(found, None)

    def deployable(self, service_id: str, user: str) -> Service | None:
        """Return the service if it exists and the user's application for it lists it."""
        service = self.services.get(service_id)
        if service is None:
            return None
        application = self.owned_application(service.application_id, user)
        return service if application and service_id in application.service_ids else None

    def service_named(self, job_name: str) -> Service | None:
        """Return the service with this name, whoever owns it: names are global."""
        named = (entry for entry in self.services.values() if entry.job_name == job_name)
        return next(named, None)

    def instances_in(self, status: Status) -> int:
        """Return how many instances have this status."""
        with self.lock:
            instances = (one for service in self.services.values() for one in service.instances)
            return sum(one.status is status for one in instances)
