"""Projects: everything that people and actors can do with them."""

from flops_contracts.events import Event
from flops_contracts.roles import Stage
from flops_contracts.sla import ProjectSla
from flops_manager.domain.lifecycle import ProjectEvent
from flops_manager.domain.projects import Project
from flops_manager.ports.stores import StoredEvent
from flops_manager.usecases.answers import ActorLog, Finding, Page
from flops_manager.usecases.caller import Caller


class Projects:
    """Everything that can be done with projects."""

    def submit(self, sla: ProjectSla, caller: Caller, idempotency_key: str = "") -> Project:
        """Store a new project and let the worker begin; the same key returns the first project.

        Raises ``NotAllowedError`` if the SLA names another customer and the caller is no Admin.
        """
        raise NotImplementedError

    def check(self, sla: ProjectSla, caller: Caller) -> tuple[Finding, ...]:
        """Check what can be checked now (nodes, data, capacity), and create nothing."""
        raise NotImplementedError

    def get(self, project_id: str, caller: Caller) -> Project:
        """Return a project; raise ``ProjectNotFoundError``, also for those of others."""
        raise NotImplementedError

    def list(
        self, caller: Caller, stage: Stage | None = None, page: int = 1, page_size: int = 50
    ) -> Page[Project]:
        """Return a page of the caller's projects (an Admin's: all), newest first."""
        raise NotImplementedError

    def cancel(self, project_id: str, caller: Caller) -> Project:
        """Stop a project. A cancelled one stays so; ``IllegalTransitionError`` if it ended."""
        raise NotImplementedError

    def retry(self, project_id: str, caller: Caller) -> Project:
        """Start a failed or cancelled project again where it stopped, with what is there.

        One that runs goes on undisturbed; ``IllegalTransitionError`` if it is completed.
        """
        raise NotImplementedError

    def delete(self, project_id: str, caller: Caller) -> None:
        """Stop a project, remove all it has at the orchestrator (the served model too), forget it.

        The worker does so after this returns; the project is invisible from now on.
        """
        raise NotImplementedError

    def events(
        self, project_id: str, caller: Caller, after: int = 0, limit: int = 500
    ) -> tuple[StoredEvent, ...]:
        """Return the history with numbers above ``after``, in order; empty if there is no more."""
        raise NotImplementedError

    def logs(self, project_id: str, caller: Caller, actor: str = "") -> tuple[ActorLog, ...]:
        """Return the last lines of each service; ``actor`` narrows to an instance or a role."""
        raise NotImplementedError

    def record(self, project_id: str, event: ProjectEvent) -> Project:
        """Move the project on and queue what follows, in one write."""
        raise NotImplementedError

    def receive(self, event: Event) -> None:
        """Store and apply what an actor said; the same message twice changes nothing."""
        raise NotImplementedError
