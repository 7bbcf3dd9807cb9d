"""The list of projects, a project's page and its parts, and what can be done with it."""

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from flask import Response, redirect, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge

from flops_contracts.api.queries import LogQuery
from flops_contracts.declared import dump
from flops_contracts.errors import FlopsError
from flops_contracts.log_lines import LEVELS
from flops_contracts.roles import Stage
from flops_manager.domain.projects import Project
from flops_manager.entrypoints.api.incoming import last_event_of
from flops_manager.entrypoints.api.streams import Streams
from flops_manager.entrypoints.web.charts import curve
from flops_manager.entrypoints.web.lanes import lanes_of
from flops_manager.entrypoints.web.timeline import line_of
from flops_manager.entrypoints.web.visitors import caller, is_partial
from flops_manager.ports.model_servers import ModelServers
from flops_manager.usecases.answers import Page as ListPage
from flops_manager.usecases.kept_logs import tail
from flops_manager.usecases.projects import Projects

PAGE_SIZE: Final = 25
SCANNED_PAGES: Final = 10
"""A search looks through this many pages of 100, the newest projects."""

LOG_LINES: Final = 1000
MAX_SAMPLE_BYTES: Final = 512 * 1024
STOP_POLLING: Final = 286
"""The status that makes htmx stop polling."""

Page = str | Response | tuple[str, int]


class ProjectPages:
    """The pages about projects."""

    def __init__(self, projects: Projects, streams: Streams, models: ModelServers) -> None:
        self._projects = projects
        self._streams = streams
        self._models = models

    def overview(self) -> Page:
        """Show the projects, filtered; only the table if the page requests that."""
        chosen = {
            "stage": request.args.get("stage", ""),
            "q": request.args.get("q", "").strip()[:100],
            "page": _whole(request.args.get("page", ""), 1),
        }
        page = self._search(chosen)
        template = "projects_table.html" if is_partial() else "projects.html"
        return render_template(
            template,
            projects=page.items,
            total=page.total,
            chosen=chosen,
            page_size=PAGE_SIZE,
            stages=list(Stage),
        )

    def _search(self, chosen: dict[str, Any]) -> ListPage[Project]:
        stage = Stage(chosen["stage"]) if chosen["stage"] in set(Stage) else None
        if not chosen["q"]:
            return self._projects.list(caller(), stage, chosen["page"], PAGE_SIZE)
        matches: list[Project] = []
        for number in range(1, SCANNED_PAGES + 1):
            scanned = self._projects.list(caller(), stage, number, 100)
            matches += [project for project in scanned.items if _matches(project, chosen["q"])]
            if number * 100 >= scanned.total:
                break
        first = (chosen["page"] - 1) * PAGE_SIZE
        return ListPage(tuple(matches[first : first + PAGE_SIZE]), len(matches))

    def show(self, project_id: str) -> Page:
        """Show everything about a project."""
        return self._page(project_id)

    def _page(self, project_id: str, **values: str) -> Page:
        view = self._view_of(project_id)
        sla = dump(view["project"].sla)
        return render_template("project.html", sla=sla, **view, **values)

    def live(self, project_id: str) -> Page:
        """Return the part of the page that changes."""
        view = self._view_of(project_id)
        body = render_template("project_live.html", **view)
        return body, STOP_POLLING if view["is_over"] else HTTPStatus.OK

    def _view_of(self, project_id: str) -> dict[str, Any]:
        project = self._projects.get(project_id, caller())
        unit = "cycle" if project.is_hierarchical else "round"
        return {
            "project": project,
            "last_seq": self._projects.last_event(project_id),
            "is_over": project.stage.is_final,
            "can_cancel": not project.stage.is_final,
            "can_retry": project.stage in {Stage.FAILED, Stage.CANCELLED},
            "steps": line_of(project, datetime.now(UTC)),
            "unit": unit,
            "loss": curve("Loss", project.rounds, "loss", unit),
            "accuracy": curve("Accuracy", project.rounds, "accuracy", unit),
            "lanes": lanes_of(project),
        }

    def events(self, project_id: str) -> Page:
        """Stream the numbers of a project's events: the page redraws itself after each."""
        resumed = last_event_of(request)
        after = resumed if resumed is not None else _whole(request.args.get("after", ""), 0)
        is_resumed = resumed is not None or after > 0
        return self._streams.open(
            project_id, caller(), after, is_resumed=is_resumed, has_content=False
        )

    def logs(self, project_id: str) -> Page:
        """Return the last lines of the project's services that match the filter."""
        actor = request.args.get("actor", "")[:100]
        text = request.args.get("text", "").strip()[:100]
        level, round_ = request.args.get("level", ""), request.args.get("round", "")
        logs = self._projects.logs(project_id, caller(), actor)
        if level in LEVELS or round_:
            number = _whole(round_, 0) if round_ else None
            query = LogQuery(limit=LOG_LINES, actor=actor, level=level, round=number, text=text)
            lines = self._projects.lines(project_id, caller(), query).lines
            logs = tuple(
                replace(log, lines=tail([x for x in lines if x.actor.instance == log.instance]))
                for log in logs
            )
        else:
            logs = tuple(
                replace(log, lines=tuple(x for x in log.lines if text.lower() in x.lower()))
                for log in logs
            )
        return render_template("project_logs.html", logs=logs, text=text or level or round_)

    def ask(self, project_id: str, verb: str) -> Page:
        """Ask before cancelling or deleting a project."""
        project = self._projects.get(project_id, caller())
        return render_template("confirm_project.html", project=project, verb=verb)

    def ask_cancel(self, project_id: str) -> Page:
        """Ask before cancelling."""
        return self.ask(project_id, "cancel")

    def ask_delete(self, project_id: str) -> Page:
        """Ask before deleting."""
        return self.ask(project_id, "delete")

    def cancel(self, project_id: str) -> Page:
        """Stop a project."""
        self._projects.cancel(project_id, caller())
        return to_page(f"/projects/{project_id}")

    def retry(self, project_id: str) -> Page:
        """Start a project again where it stopped."""
        self._projects.retry(project_id, caller())
        return to_page(f"/projects/{project_id}")

    def delete(self, project_id: str) -> Page:
        """Delete a project and its services."""
        self._projects.delete(project_id, caller())
        return to_page("/projects")

    def sample(self, project_id: str) -> Page:
        """Send a sample to the served model and show its answer."""
        project = self._projects.get(project_id, caller())
        sample = request.form.get("sample", "").encode()
        if len(sample) > MAX_SAMPLE_BYTES:
            raise RequestEntityTooLarge
        answer, problem = "", ""
        if not project.model_address:
            problem = "The model is not served (yet)."
        else:
            try:
                answer = self._models.predict(project.model_address, sample)
            except FlopsError as error:
                problem = f"{error.reason} {error.hint}".strip()
        if is_partial():
            return render_template("sample_answer.html", answer=answer, problem=problem)
        return self._page(project_id, answer=answer, problem=problem, sample=sample.decode())


def _matches(project: Project, text: str) -> bool:
    sla, reason = project.sla, project.error.reason if project.error else ""
    words = (project.id, project.customer_id, sla.ml_repo_url, sla.ml_model_flavor, project.stage)
    return text.lower() in " ".join((*words, reason)).lower()


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else otherwise


def to_page(path: str) -> Response:
    """Redirect the browser after a write, so that reloading does not write again."""
    answer = redirect(path, HTTPStatus.SEE_OTHER)
    assert isinstance(answer, Response)  # noqa: S101 - flask's own class, as mypy cannot know
    return answer
