"""All applications and services, in memory: a restart stops and forgets them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from flops_local_oakestra.domain.documents import Application, Service
from flops_local_oakestra.domain.statuses import Status


@dataclass
class Catalogue:
    """The root's database. Hold ``lock`` to read or write it, and never wait meanwhile.

    ``notify`` is called with entity, id and event of each change, for the webhooks.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    applications: dict[str, Application] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    notify: Callable[[str, str, str], None] = lambda *_: None

    def owned_application(self, application_id: str, user: str) -> Application | None:
        """Return the application if it exists and belongs to ``user``."""
        application = self.applications.get(application_id)
        return application if application and application.user == user else None

    def applications_of(self, user: str) -> list[Application]:
        """Return the applications of ``user``, oldest first."""
        return [entry for entry in self.applications.values() if entry.user == user]

    def application_with(self, service_id: str, user: str) -> Application | None:
        """Return the user's first application that lists the service."""
        listing = (entry for entry in self.applications_of(user) if service_id in entry.service_ids)
        return next(listing, None)

    def deployable(self, service_id: str, user: str) -> Service | None:
        """Return the service if it exists and the user's application for it lists it."""
        service = self.services.get(service_id)
        if service is None:
            return None
        application = self.owned_application(service.application_id, user)
        return service if application and service_id in application.service_ids else None

    def service_named(self, job_name: str) -> Service | None:
        """Return the service with this name; names are unique over all users."""
        named = (entry for entry in self.services.values() if entry.job_name == job_name)
        return next(named, None)

    def instances_in(self, status: Status) -> int:
        """Return how many instances have this status."""
        with self.lock:
            instances = [entry for service in self.services.values() for entry in service.instances]
        return sum(instance.status is status for instance in instances)
