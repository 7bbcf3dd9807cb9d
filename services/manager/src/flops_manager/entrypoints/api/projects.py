"""The views on projects."""

from typing import Any

from flask import Response, g, request

from flops_contracts.api.answers import (
    Answer,
    LogLinesAnswer,
    LogsAnswer,
    ProjectAnswer,
    ProjectsAnswer,
    ProjectSubmitted,
)
from flops_contracts.api.queries import (
    DeleteQuery,
    EventsQuery,
    LogQuery,
    LogsQuery,
    ProjectsQuery,
    Query,
    SubmitQuery,
)
from flops_contracts.sla import ProjectSla
from flops_contracts.sla_documents import read_project_sla
from flops_manager.entrypoints.api.answers import (
    lines_answer,
    numbered,
    project_answer,
    summary_of,
)
from flops_manager.entrypoints.api.callers import Call
from flops_manager.entrypoints.api.incoming import (
    body_of,
    idempotency_key_of,
    last_event_of,
    wants,
)
from flops_manager.entrypoints.api.streams import MEDIA_TYPE, Streams
from flops_manager.usecases.projects import Projects


class ProjectViews:
    """A method for each route."""

    def __init__(self, projects: Projects, streams: Streams) -> None:
        self._projects = projects
        self._streams = streams

    def submit(self, call: Call[SubmitQuery]) -> ProjectSubmitted:
        """Submit a project, or only check it."""
        key = idempotency_key_of(request)
        sla = read_project_sla(body_of(request))
        if call.query.dry_run:
            return self._check(sla, call)
        project = self._projects.submit(sla, call.caller, key)
        g.project_id = project.id
        message = f"Project {project.id} is submitted; its builder starts next."
        return ProjectSubmitted(message, project_id=project.id)

    def list(self, call: Call[ProjectsQuery]) -> ProjectsAnswer:
        """List the sender's projects; an Admin's list has everyone's."""
        number, size = call.query.page, call.query.page_size
        page = self._projects.list(call.scope, call.query.stage, number, size)
        return ProjectsAnswer(
            f"{len(page.items)} of {page.total} projects.",
            projects=tuple(map(summary_of, page.items)),
            page=number,
            page_size=size,
            total=page.total,
        )

    def get(self, call: Call[Query], project_id: str) -> ProjectAnswer:
        """Return a project."""
        return project_answer(self._projects.get(project_id, call.caller))

    def cancel(self, call: Call[Query], project_id: str) -> ProjectAnswer:
        """Stop a project; doing so twice is fine."""
        return project_answer(self._projects.cancel(project_id, call.caller))

    def retry(self, call: Call[Query], project_id: str) -> ProjectAnswer:
        """Start a failed or cancelled project again; one that runs goes on."""
        return project_answer(self._projects.retry(project_id, call.caller))

    def delete(self, call: Call[DeleteQuery], project_id: str) -> Answer:
        """Stop a project, remove its services, and delete it."""
        self._projects.delete(project_id, call.caller, with_runs=call.query.mlflow)
        return Answer(f"Project {project_id} is deleted; what it started is being removed.")

    def events(self, call: Call[EventsQuery], project_id: str) -> dict[str, Any] | Response:
        """Return the history of a project, or stream it live."""
        resumed = last_event_of(request)
        after = call.query.after if resumed is None else resumed
        if wants(request, MEDIA_TYPE):
            is_resumed = resumed is not None
            return self._streams.open(project_id, call.caller, after, is_resumed=is_resumed)
        events = self._projects.events(project_id, call.caller, after, call.query.limit)
        last_seq = events[-1].seq if events else after
        message = f"{len(events)} events."
        return {"message": message, "events": list(map(numbered, events)), "last_seq": last_seq}

    def logs(self, call: Call[LogsQuery], project_id: str) -> LogsAnswer:
        """Return the last log lines of a project's services."""
        logs = self._projects.logs(project_id, call.caller, call.query.actor)
        return LogsAnswer(f"Logs of {len(logs)} services.", logs)

    def lines(self, call: Call[LogQuery], project_id: str) -> LogLinesAnswer:
        """Return lines of the logs of a project's actors."""
        return lines_answer(self._projects.lines(project_id, call.caller, call.query))

    def _check(self, sla: ProjectSla, call: Call[SubmitQuery]) -> ProjectSubmitted:
        findings = self._projects.check(sla, call.caller)
        problems = [finding for finding in findings if not finding.is_ok]
        message = "All checks passed. Nothing was created (dry run)."
        if problems:
            message = f"{len(problems)} of {len(findings)} checks failed. Nothing was created."
        return ProjectSubmitted(message, is_ok=not problems, findings=findings)
