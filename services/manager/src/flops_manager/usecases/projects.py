"""Projects: everything that people and actors can do with them."""

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from flops_contracts.api.answers import ActorLog, Finding
from flops_contracts.api.queries import LogQuery
from flops_contracts.roles import Stage
from flops_contracts.sla import ProjectSla
from flops_manager.domain.deployments import application_of
from flops_manager.domain.errors import NotPlaceableError
from flops_manager.domain.lifecycle import PROJECTS
from flops_manager.domain.lifecycles import Changed
from flops_manager.domain.nodes import Landscape
from flops_manager.domain.placement import left_out, place_project
from flops_manager.domain.project_events import CancelRequested, RetryRequested
from flops_manager.domain.projects import Project
from flops_manager.domain.states import ServiceState
from flops_manager.domain.subjects import Placement, Service
from flops_manager.ports.orchestrator import Orchestrator
from flops_manager.ports.stores import EventStore, ProjectStore, StoredEvent
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.changes import change, unchanged
from flops_manager.usecases.kept_logs import KeptLogs, tail
from flops_manager.usecases.liveness import Liveness
from flops_manager.usecases.queue import Queue
from flops_manager.usecases.subjects import Subjects, subject_id
from flops_manager.usecases.survey import Survey
from flops_runtime import tracing

SHOWN_LINES: Final = 200
"""Of each service, in the overview of all logs of a project."""


class Projects(Subjects[Project]):
    """Everything that can be done with projects."""

    def __init__(
        self,
        store: ProjectStore,
        history: EventStore,
        orchestrator: Orchestrator,
        survey: Survey,
        queue: Queue,
        logs: KeptLogs,
        liveness: Liveness,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(PROJECTS, store, history, logs, liveness, now)
        self._orchestrator = orchestrator
        self._survey = survey
        self._queue = queue

    def submit(self, sla: ProjectSla, caller: Caller, idempotency_key: str = "") -> Project:
        """Store a new project and let the worker begin; the same key returns the first project.

        Raises ``NotAllowedError`` if the SLA names another customer and the caller is not an Admin,
        ``TooManyProjectsError`` if the customer has as many as one may have, ``KeyReusedError`` if
        the key's first project has another SLA, and ``AlreadyExistsError`` while it is being
        deleted.
        """
        caller.require_customer(sla.customer_id)
        now = self._now()
        project = Project(
            id=subject_id(Project.noun, sla.customer_id, idempotency_key),
            customer_id=sla.customer_id,
            sla=sla,
            stage=Stage.SUBMITTED,
            created_at=now,
            updated_at=now,
            grid_token=secrets.token_hex(16),
            trace=tracing.current(),
        )
        return self._add(project, caller, is_repeatable=bool(idempotency_key))

    def _admit(self, project: Project) -> None:
        self._queue.admit(project.sla)

    def check(self, sla: ProjectSla, caller: Caller) -> tuple[Finding, ...]:
        """Check nodes, data and capacity as they are now, and create nothing."""
        caller.require_customer(sla.customer_id)
        landscape = self._survey.look()
        try:
            places = place_project(sla, landscape)
        except NotPlaceableError as error:
            return (*_seen(landscape), Finding("placement", False, error.reason, error.hint))
        notices = (Finding("clusters", True, text) for text in left_out(sla, landscape))
        return (*_seen(landscape), *notices, Finding("placement", True, _summary(places)))

    def cancel(self, project_id: str, caller: Caller) -> Project:
        """Stop a project. A cancelled one stays so; ``IllegalTransitionError`` if it ended."""
        self._visible(project_id, caller)

        def step(project: Project) -> Changed[Project]:
            return PROJECTS.transition(project, CancelRequested(), self._now())

        return self._liveness.shown(change(self._store, project_id, step))[0]

    def retry(self, project_id: str, caller: Caller) -> Project:
        """Start a failed or cancelled project again where it stopped, with what is there.

        One that runs goes on undisturbed; ``IllegalTransitionError`` if it is completed.
        """
        self._visible(project_id, caller)

        def step(project: Project) -> Changed[Project]:
            if not project.stage.is_final:
                return unchanged(project)
            return PROJECTS.transition(project, RetryRequested(), self._now())

        return self._liveness.shown(change(self._store, project_id, step))[0]

    def events(
        self, project_id: str, caller: Caller, after: int = 0, limit: int = 500
    ) -> tuple[StoredEvent, ...]:
        """Return the history with numbers above ``after``, in order; empty if there is no more."""
        self._visible(project_id, caller)
        return self.events_after(project_id, after, limit)

    def events_after(self, project_id: str, after: int, limit: int) -> tuple[StoredEvent, ...]:
        """Return events without asking whose they are: for callers who checked that before."""
        return tuple(self._history.after(project_id, after, limit))

    def last_event(self, project_id: str) -> int:
        """Return the number of the newest event, without reading it; 0 if there is none."""
        return self._history.last(project_id)

    def logs(self, project_id: str, caller: Caller, actor: str = "") -> tuple[ActorLog, ...]:
        """Return the last lines of each service; ``actor`` narrows to an instance or a role.

        They come from the stored logs, or else from the orchestrator.
        """
        project = self._visible(project_id, caller)
        services = [each for each in project.services if actor in {"", each.instance, each.role}]
        applications = {
            application_of(project, each.role) for each in services if not each.is_removed
        }
        states: dict[str, ServiceState] = {}
        for application in sorted(applications, key=str):
            states.update(self._orchestrator.states(application))
        return tuple(self._log(project, each, states.get(each.instance)) for each in services)

    def _log(self, project: Project, service: Service, state: ServiceState | None) -> ActorLog:
        stored = self._kept_logs.read(
            project.id, LogQuery(limit=SHOWN_LINES, actor=service.instance)
        )
        lines = tail(stored.lines) or (tuple(state.logs.splitlines()) if state else ())
        return ActorLog(
            role=service.role,
            instance=service.instance,
            cluster=service.cluster,
            node=service.node,
            is_live=state is not None,
            lines=lines or service.last_lines,
        )


def _summary(places: Sequence[Placement]) -> str:
    counted = Counter((place.role, f"{place.cluster}/{place.node or '*'}") for place in places)
    return ", ".join(
        f"{role} on {where}" if count == 1 else f"{count} {role}s on {where}"
        for (role, where), count in counted.items()
    )


def _seen(landscape: Landscape) -> tuple[Finding, ...]:
    nodes = ", ".join(node.label for node in landscape.nodes)
    tags = sorted({tag for stats in landscape.data.values() for tag in stats})
    return (
        Finding("nodes", bool(landscape.nodes), nodes or "No active node."),
        Finding("data", bool(tags), f"Data tags: {', '.join(tags)}." if tags else "No data yet."),
    )
