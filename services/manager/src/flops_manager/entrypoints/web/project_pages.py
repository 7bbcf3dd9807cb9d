"""The list of projects, a project's page and its parts, and the verbs."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from flask import Response, redirect, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge

from flops_contracts.errors import FlopsError
from flops_contracts.log_lines import LEVELS
from flops_contracts.roles import Stage
from flops_manager.entrypoints.api.callers import Call, Sender
from flops_manager.entrypoints.api.incoming import last_event_of
from flops_manager.entrypoints.api.projects import ProjectViews
from flops_manager.entrypoints.api.streams import Streams
from flops_manager.entrypoints.web.charts import curve
from flops_manager.entrypoints.web.lanes import lanes_of
from flops_manager.entrypoints.web.timeline import line_of
from flops_manager.entrypoints.web.visitors import caller, is_partial
from flops_manager.ports.model_servers import ModelServers
from flops_manager.usecases.kept_logs import LogQuery, tail
from flops_manager.usecases.projects import Projects

PAGE_SIZE: Final = 25
SCANNED_PAGES: Final = 10
"""A search looks through this many pages of 100, the newest projects."""

LOG_LINES: Final = 1000
MAX_SAMPLE_BYTES: Final = 512 * 1024
STOP_POLLING: Final = 286
"""The status that tells htmx to ask no more."""

Page = str | Response | tuple[str, int]


def call_with(**query: Any) -> Call:
    """Return what a view of the API is given: the visitor's own request."""
    known = caller()
    return Call(Sender(known, known.user), query)


class ProjectPages:
    """What people see of projects."""

    def __init__(self, projects: Projects, streams: Streams, models: ModelServers) -> None:
        self._api = ProjectViews(projects, streams)
        self._projects = projects
        self._streams = streams
        self._models = models

    def overview(self) -> Page:
        """Show the projects, filtered; only the table if the page asks for it."""
        chosen = {
            "stage": request.args.get("stage", ""),
            "q": request.args.get("q", "").strip()[:100],
            "page": _whole(request.args.get("page", ""), 1),
        }
        found, total = self._found(chosen)
        template = "projects_table.html" if is_partial() else "projects.html"
        return render_template(
            template,
            projects=found,
            total=total,
            chosen=chosen,
            page_size=PAGE_SIZE,
            stages=list(Stage),
        )

    def _found(self, chosen: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
        stage = Stage(chosen["stage"]) if chosen["stage"] in set(Stage) else None
        if not chosen["q"]:
            answer = self._listed(stage, chosen["page"], PAGE_SIZE)
            return answer["projects"], answer["total"]
        found: list[dict[str, Any]] = []
        for number in range(1, SCANNED_PAGES + 1):
            answer = self._listed(stage, number, 100)
            found += [one for one in answer["projects"] if _matches(one, chosen["q"])]
            if number * 100 >= answer["total"]:
                break
        first = (chosen["page"] - 1) * PAGE_SIZE
        return found[first : first + PAGE_SIZE], len(found)

    def _listed(self, stage: Stage | None, number: int, size: int) -> dict[str, Any]:
        return self._api.list(call_with(stage=stage, page=number, page_size=size))

    def show(self, project_id: str) -> Page:
        """Show everything about a project."""
        return render_template("project.html", **self._seen(project_id))

    def live(self, project_id: str) -> Page:
        """Return the part of the page that changes."""
        seen = self._seen(project_id)
        body = render_template("project_live.html", **seen)
        return body, STOP_POLLING if seen["is_over"] else HTTPStatus.OK

    def _seen(self, project_id: str) -> dict[str, Any]:
        project = self._api.get(call_with(), project_id)["project"]
        stage = Stage(project["stage"])
        is_hierarchical = project["sla"]["training_configuration"]["mode"] == "hierarchical"
        unit = "cycle" if is_hierarchical else "round"
        return {
            "project": project,
            "last_seq": self._projects.last_event(project_id),
            "is_over": stage.is_final,
            "can_cancel": not stage.is_final,
            "can_retry": stage in {Stage.FAILED, Stage.CANCELLED},
            "steps": line_of(project, datetime.now(UTC)),
            "unit": unit,
            "loss": curve("Loss", project["rounds"], "loss", unit),
            "accuracy": curve("Accuracy", project["rounds"], "accuracy", unit),
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
        """Return the last lines of the project's services, as the filter says."""
        actor = request.args.get("actor", "")[:100]
        text = request.args.get("text", "").strip()[:100]
        level, round_ = request.args.get("level", ""), request.args.get("round", "")
        logs = self._api.logs(call_with(actor=actor), project_id)["logs"]
        for one in logs:
            one["lines"] = [line for line in one["lines"] if text.lower() in line.lower()]
        if level in LEVELS or round_:
            number = _whole(round_, 0) if round_ else None
            query = LogQuery(None, LOG_LINES, actor, level=level, round=number, text=text)
            page = self._projects.lines(project_id, caller(), query)
            for one in logs:
                own = [line for line in page.lines if line.actor.instance == one["instance"]]
                one["lines"] = tail(own)
        return render_template("project_logs.html", logs=logs, text=text or level or round_)

    def ask(self, project_id: str, verb: str) -> Page:
        """Ask whether a project is really to be cancelled or deleted."""
        project = self._api.get(call_with(), project_id)["project"]
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
        """Remove a project and what it has."""
        self._projects.delete(project_id, caller())
        return to_page("/projects")

    def sample(self, project_id: str) -> Page:
        """Send a sample to the served model, and show what it answers."""
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
        seen = {"answer": answer, "problem": problem, "sample": sample.decode()}
        if is_partial():
            return render_template("sample_answer.html", **seen)
        return render_template("project.html", **self._seen(project_id), **seen)


def _matches(project: dict[str, Any], text: str) -> bool:
    words = (
        project[key] for key in ("project_id", "owner", "ml_repo_url", "ml_model_flavor", "stage")
    )
    return text.lower() in " ".join((*words, project.get("reason", ""))).lower()


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else otherwise


def to_page(path: str) -> Response:
    """Send the browser on after a write, so that reloading does not write again."""
    answer = redirect(path, HTTPStatus.SEE_OTHER)
    assert isinstance(answer, Response)  # noqa: S101 - flask's own class, as mypy cannot know
    return answer
