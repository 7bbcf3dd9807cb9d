"""The views on projects."""

from typing import Any

from flask import Response, g, request

from flops_contracts.sla import ProjectSla
from flops_contracts.sla_documents import read_project_sla
from flops_manager.domain.projects import Project
from flops_manager.entrypoints.api.answers import (
    LogLinesAnswerSchema,
    LogsAnswerSchema,
    ProjectAnswerSchema,
    ProjectsAnswerSchema,
    ProjectSubmittedSchema,
)
from flops_manager.entrypoints.api.callers import Call
from flops_manager.entrypoints.api.event_answers import numbered
from flops_manager.entrypoints.api.incoming import (
    body_of,
    idempotency_key_of,
    last_event_of,
    wants,
)
from flops_manager.entrypoints.api.streams import MEDIA_TYPE, Streams
from flops_manager.usecases.kept_logs import LogPage, LogQuery
from flops_manager.usecases.projects import Projects

Answer = dict[str, Any]


class ProjectViews:
    """A method for each route."""

    def __init__(self, projects: Projects, streams: Streams) -> None:
        self._projects = projects
        self._streams = streams

    def submit(self, call: Call) -> Answer:
        """Submit a project, or only check it."""
        key = idempotency_key_of(request)
        sla = read_project_sla(body_of(request))
        if call.query["dry_run"]:
            return self._check(sla, call)
        project = self._projects.submit(sla, call.caller, key)
        g.project_id = project.id
        message = f"Project {project.id} is submitted; its builder starts next."
        return _dump(ProjectSubmittedSchema, message, project_id=project.id)

    def list(self, call: Call) -> Answer:
        """List the sender's projects; an Admin's list has everyone's."""
        number, size = call.query["page"], call.query["page_size"]
        page = self._projects.list(call.scope, call.query["stage"], number, size)
        return _dump(
            ProjectsAnswerSchema,
            f"{len(page.items)} of {page.total} projects.",
            projects=page.items,
            page=number,
            page_size=size,
            total=page.total,
        )

    def get(self, call: Call, project_id: str) -> Answer:
        """Return a project."""
        return _answer(self._projects.get(project_id, call.caller))

    def cancel(self, call: Call, project_id: str) -> Answer:
        """Stop a project; doing so twice is fine."""
        return _answer(self._projects.cancel(project_id, call.caller))

    def retry(self, call: Call, project_id: str) -> Answer:
        """Start a failed or cancelled project again; one that runs goes on."""
        return _answer(self._projects.retry(project_id, call.caller))

    def delete(self, call: Call, project_id: str) -> Answer:
        """Stop a project, remove its services, and delete it."""
        self._projects.delete(project_id, call.caller, with_runs=call.query["mlflow"])
        return {"message": f"Project {project_id} is deleted; what it started is being removed."}

    def events(self, call: Call, project_id: str) -> Answer | Response:
        """Return the history of a project, or stream it live."""
        resumed = last_event_of(request)
        after = call.query["after"] if resumed is None else resumed
        if wants(request, MEDIA_TYPE):
            is_resumed = resumed is not None
            return self._streams.open(project_id, call.caller, after, is_resumed=is_resumed)
        events = self._projects.events(project_id, call.caller, after, call.query["limit"])
        last_seq = events[-1].seq if events else after
        message = f"{len(events)} events."
        return {"message": message, "events": list(map(numbered, events)), "last_seq": last_seq}

    def logs(self, call: Call, project_id: str) -> Answer:
        """Return the last log lines of a project's services."""
        logs = self._projects.logs(project_id, call.caller, call.query["actor"])
        return _dump(LogsAnswerSchema, f"Logs of {len(logs)} services.", logs=logs)

    def lines(self, call: Call, project_id: str) -> Answer:
        """Return lines of the logs of a project's actors."""
        page = self._projects.lines(project_id, call.caller, log_query(call))
        return lines_answer(page)

    def _check(self, sla: ProjectSla, call: Call) -> Answer:
        findings = self._projects.check(sla, call.caller)
        problems = [finding for finding in findings if not finding.is_ok]
        message = "All checks passed. Nothing was created (dry run)."
        if problems:
            message = f"{len(problems)} of {len(findings)} checks failed. Nothing was created."
        return _dump(ProjectSubmittedSchema, message, is_ok=not problems, findings=findings)


def log_query(call: Call) -> LogQuery:
    """Return the filters that a request for lines names."""
    names = ("after", "limit", "actor", "node", "level", "round", "text")
    return LogQuery(**{name: call.query[name] for name in names})


def lines_answer(page: LogPage) -> Answer:
    """Return the answer with lines of logs."""
    lines = [{**vars(stored), **vars(stored.line)} for stored in page.lines]
    message = f"{len(lines)} lines."
    return _dump(LogLinesAnswerSchema, message, lines=lines, last_seq=page.last_seq)


def _answer(project: Project) -> Answer:
    message = f"Project {project.id}: {project.stage}."
    return _dump(ProjectAnswerSchema, message, project=project)


def _dump(schema: type[Any], message: str, **values: Any) -> Answer:
    document: Answer = schema().dump({"message": message, **values})
    return document
