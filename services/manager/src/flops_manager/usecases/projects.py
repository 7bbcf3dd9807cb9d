"""Projects: everything that people and actors can do with them."""

import json
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from flops_contracts.errors import FlopsError
from flops_contracts.events import Event, Kind
from flops_contracts.roles import Stage
from flops_contracts.sla import ProjectSla
from flops_manager.domain.commands import Command
from flops_manager.domain.deployments import application_of
from flops_manager.domain.errors import (
    AlreadyExistsError,
    IllegalTransitionError,
    KeyReusedError,
    NotPlaceableError,
    ProjectNotFoundError,
)
from flops_manager.domain.facts import event_from_told, with_told
from flops_manager.domain.lifecycle import submitted, transition
from flops_manager.domain.nodes import Landscape
from flops_manager.domain.placement import left_out, place_project
from flops_manager.domain.project_events import (
    CancelRequested,
    DeleteRequested,
    RetryRequested,
    StepFailed,
)
from flops_manager.domain.projects import Placement, Project, ProjectError, Service
from flops_manager.domain.states import ServiceState
from flops_manager.ports.orchestrator import Orchestrator
from flops_manager.ports.stores import EventStore, Pending, ProjectStore, Record, StoredEvent
from flops_manager.usecases.answers import ActorLog, Finding, Page
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.changes import change, unchanged
from flops_manager.usecases.kept_logs import KeptLogs, LogPage, LogQuery, tail
from flops_manager.usecases.liveness import Liveness
from flops_manager.usecases.queue import Queue
from flops_manager.usecases.survey import Survey
from flops_runtime import tracing

logger = logging.getLogger(__name__)

SHOWN_LINES: Final = 200
"""Of each service, in the overview of all logs of a project."""


def subject_id(kind: str, customer_id: str, idempotency_key: str) -> str:
    """Return a new id of 12 hex digits; the same key of the same customer gives the same one.

    ``kind`` keeps projects and mocks apart: they share the history, which is kept by id.
    """
    if not idempotency_key:
        return secrets.token_hex(6)
    named = json.dumps([kind, customer_id, idempotency_key])
    return sha256(named.encode()).hexdigest()[:12]


def being_deleted(kind: str) -> AlreadyExistsError:
    """Return the answer to a repeated key whose first request made what is being deleted."""
    return AlreadyExistsError(
        f"The {kind} of this Idempotency-Key is being deleted.",
        hint="Send another key, or the same one again in a moment.",
    )


def require_same(first: object, second: object, kind: str, subject_id: str) -> None:
    """Raise ``KeyReusedError`` unless a repeated key asks for what it made the first time."""
    if first != second:
        raise KeyReusedError(
            f"This Idempotency-Key was used for another SLA: it made the {kind} {subject_id}.",
            hint="Send a new key for a new request.",
        )


class Projects:
    """Everything that can be done with projects."""

    def __init__(
        self,
        store: ProjectStore,
        history: EventStore,
        orchestrator: Orchestrator,
        survey: Survey,
        queue: Queue,
        kept: KeptLogs,
        liveness: Liveness,
        now: Callable[[], datetime],
    ) -> None:
        self._kept = kept
        self._liveness = liveness
        self._store = store
        self._history = history
        self._orchestrator = orchestrator
        self._survey = survey
        self._queue = queue
        self._now = now

    def submit(self, sla: ProjectSla, caller: Caller, idempotency_key: str = "") -> Project:
        """Store a new project and let the worker begin; the same key returns the first project.

        Raises ``NotAllowedError`` if the SLA names another customer and the caller is no Admin,
        ``TooManyProjectsError`` if the customer has as many as one may have, ``KeyReusedError`` if
        the key's first project has another SLA, and ``AlreadyExistsError`` while it is being
        deleted.
        """
        caller.require_customer(sla.customer_id)
        now = self._now()
        project, commands = submitted(
            Project(
                id=subject_id("project", sla.customer_id, idempotency_key),
                customer_id=sla.customer_id,
                sla=sla,
                stage=Stage.SUBMITTED,
                created_at=now,
                updated_at=now,
                grid_token=secrets.token_hex(16),
                trace=tracing.current(),
            )
        )
        if idempotency_key and (first := self._first(project, caller)):
            return first
        self._queue.admit(sla)
        try:
            self._store.add(Record(project, todo=tuple(map(Pending, commands))))
        except AlreadyExistsError:
            return self._first(project, caller) or project
        return project

    def _first(self, project: Project, caller: Caller) -> Project | None:
        """Return what the same key made before, if it did and asked for the same."""
        try:
            found = self._store.get(project.id).subject
        except ProjectNotFoundError:
            return None
        if found.is_deleted or not caller.may_see(found.customer_id):
            raise being_deleted("project")
        require_same(found.sla, project.sla, "project", found.id)
        return found

    def check(self, sla: ProjectSla, caller: Caller) -> tuple[Finding, ...]:
        """Check what can be checked now (nodes, data, capacity), and create nothing."""
        caller.require_customer(sla.customer_id)
        landscape = self._survey.look()
        try:
            places = place_project(sla, landscape)
        except NotPlaceableError as error:
            return (*_seen(landscape), Finding("placement", False, error.reason, error.hint))
        notices = (Finding("clusters", True, one) for one in left_out(sla, landscape))
        return (*_seen(landscape), *notices, Finding("placement", True, _told(places)))

    def get(self, project_id: str, caller: Caller) -> Project:
        """Return a project; raise ``ProjectNotFoundError``, also for those of others."""
        return self._liveness.shown(self._visible(project_id, caller))[0]

    def _visible(self, project_id: str, caller: Caller) -> Project:
        project = self._store.get(project_id).subject
        if project.is_deleted or not caller.may_see(project.customer_id):
            raise ProjectNotFoundError.of(project_id)
        return project

    def list(
        self, caller: Caller, stage: Stage | None = None, page: int = 1, page_size: int = 50
    ) -> Page[Project]:
        """Return a page of the caller's projects (an Admin's: all), newest first."""
        customer_id = None if caller.is_admin else caller.user
        items, total = self._store.list(customer_id, stage, (page - 1) * page_size, page_size)
        return Page(tuple(items), total)

    def cancel(self, project_id: str, caller: Caller) -> Project:
        """Stop a project. A cancelled one stays so; ``IllegalTransitionError`` if it ended."""
        self._visible(project_id, caller)

        def step(project: Project) -> tuple[Project, tuple[Command, ...]]:
            return transition(project, CancelRequested(), self._now())

        return self._liveness.shown(change(self._store, project_id, step))[0]

    def retry(self, project_id: str, caller: Caller) -> Project:
        """Start a failed or cancelled project again where it stopped, with what is there.

        One that runs goes on undisturbed; ``IllegalTransitionError`` if it is completed.
        """
        self._visible(project_id, caller)

        def step(project: Project) -> tuple[Project, tuple[Command, ...]]:
            if not project.stage.is_final:
                return unchanged(project)
            return transition(project, RetryRequested(), self._now())

        return self._liveness.shown(change(self._store, project_id, step))[0]

    def delete(self, project_id: str, caller: Caller, *, with_runs: bool = False) -> None:
        """Stop a project, remove all it has at the orchestrator (the served model too), forget it.

        What it left in MLflow stays, unless ``with_runs``.

        The worker does so after this returns; the project is invisible from now on.
        """

        def step(project: Project) -> tuple[Project, tuple[Command, ...]]:
            if not caller.may_see(project.customer_id):
                raise ProjectNotFoundError.of(project_id)
            if project.is_deleted:
                return unchanged(project)
            return transition(project, DeleteRequested(with_runs), self._now())

        change(self._store, project_id, step)

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

        They are what is kept of its log, or else what the orchestrator has of it.
        """
        project = self._visible(project_id, caller)
        wanted = [one for one in project.services if actor in {"", one.instance, one.role}]
        applications = {application_of(project, one.role) for one in wanted if not one.is_removed}
        states: dict[str, ServiceState] = {}
        for application in sorted(applications, key=str):
            states.update(self._orchestrator.states(application))
        return tuple(self._log(project, one, states.get(one.instance)) for one in wanted)

    def lines(self, project_id: str, caller: Caller, query: LogQuery) -> LogPage:
        """Return lines of the actors' logs, also of those that are gone."""
        return self._kept.read(self._visible(project_id, caller).id, query)

    def end(self, project_id: str, cause: FlopsError) -> None:
        """Let a project fail whose record cannot be stored as it would be, without its details."""

        def step(project: Project) -> tuple[Project, tuple[Command, ...]]:
            if project.stage.is_final:
                return unchanged(project)
            lean = replace(project, rounds=(), cluster_rounds=(), notices=(), learner_failures=())
            why = ProjectError(
                reason=cause.reason,
                hint=cause.hint,
                stage=project.stage,
                error=type(cause).__name__,
                at=self._now(),
            )
            return transition(lean, StepFailed(project.stage, why), self._now())

        change(self._store, project_id, step)

    def _log(self, project: Project, service: Service, state: ServiceState | None) -> ActorLog:
        kept = self._kept.read(project.id, LogQuery(limit=SHOWN_LINES, actor=service.instance))
        lines = tail(kept.lines) or (tuple(state.logs.splitlines()) if state else ())
        return ActorLog(
            role=service.role,
            instance=service.instance,
            cluster=service.cluster,
            node=service.node,
            is_live=state is not None,
            lines=lines or service.last_lines,
        )

    def receive(self, event: Event) -> None:
        """Store and apply what an actor said; the same message twice changes nothing.

        Raises ``ProjectNotFoundError`` for a project that is gone.
        """
        # A heartbeat says how things are, not what happened: it is not part of the history.
        if event.kind is Kind.HEARTBEAT:
            self._liveness.take(event, self._store)
            return
        # First, so that nothing is stored of a project that is gone.
        loaded = self._store.get(event.project_id)
        is_new = self._history.append(event.project_id, event)
        if not is_new and event.kind is Kind.STARTED:
            return

        def step(project: Project) -> tuple[Project, tuple[Command, ...]]:
            told = with_told(project, event, self._now(), is_new=is_new)
            meaning = event_from_told(told, event)
            if meaning is None:
                return told, ()
            try:
                return transition(told, meaning, self._now())
            except IllegalTransitionError as error:
                logger.info("dropped a late %s of %s: %s", event.kind, event.project_id, error)
                return told, ()

        change(self._store, event.project_id, step, loaded=loaded)


def _told(places: Sequence[Placement]) -> str:
    counted = Counter((one.role, f"{one.cluster}/{one.node or '*'}") for one in places)
    return ", ".join(
        f"{role} on {where}" if count == 1 else f"{count} {role}s on {where}"
        for (role, where), count in counted.items()
    )


def _seen(landscape: Landscape) -> tuple[Finding, ...]:
    nodes = ", ".join(one.label for one in landscape.nodes)
    tags = sorted({tag for stats in landscape.data.values() for tag in stats})
    return (
        Finding("nodes", bool(landscape.nodes), nodes or "No active node."),
        Finding("data", bool(tags), f"Data tags: {', '.join(tags)}." if tags else "No data yet."),
    )
