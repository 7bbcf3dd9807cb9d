"""A mock data provider: what its customer asked for, and what became of it."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from flops_contracts.declared import about
from flops_contracts.events import Fragment, Progress
from flops_contracts.roles import MockStage
from flops_contracts.sla import MockSla
from flops_manager.domain.projects import ProjectError, Service


@dataclass(frozen=True)
class Mock:
    """The whole state of one mock: a provider for each node that its partitions are spread over.

    ``provided`` are the instances that are done; ``trace`` is as a project's.
    """

    id: str
    customer_id: str = field(metadata=about(key="owner"))
    sla: MockSla
    stage: MockStage
    created_at: datetime
    updated_at: datetime
    services: tuple[Service, ...] = ()
    provided: tuple[str, ...] = ()
    fragments: tuple[Fragment, ...] = ()
    error: ProjectError | None = None
    progress: Progress | None = None
    is_deleted: bool = False
    trace: str = ""

    def find_service(self, instance: str) -> Service | None:
        """Return the service of that name."""
        return next((one for one in self.services if one.instance == instance), None)

    def with_service(self, service: Service) -> "Mock":
        """Return the mock with ``service`` in place of the one of its name."""
        services = (service if one.instance == service.instance else one for one in self.services)
        return replace(self, services=tuple(services))
