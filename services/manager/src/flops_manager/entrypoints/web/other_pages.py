"""Mock data, nodes, and the data of a project."""

from typing import Any, Final

from flask import Response, render_template, request

from flops_contracts.errors import FlopsError
from flops_manager.entrypoints.api.mocks import MockViews
from flops_manager.entrypoints.api.nodes import NodeViews
from flops_manager.entrypoints.web.project_pages import STOP_POLLING, Page, call_with, to_page
from flops_manager.entrypoints.web.visitors import caller, is_partial
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.projects import Projects
from flops_manager.usecases.survey import Survey
from flops_manager.usecases.tracking import Tracking

PAGE_SIZE: Final = 25


class OtherPages:
    """What is there besides projects."""

    def __init__(
        self, projects: Projects, mocks: Mocks, survey: Survey, tracking: Tracking
    ) -> None:
        self._projects = projects
        self._tracking = tracking
        self._mocks = mocks
        self._mock_views = MockViews(mocks)
        self._node_views = NodeViews(survey)

    def mocks(self) -> Page:
        """Show the mock data providers."""
        text = request.args.get("page", "")
        number = int(text) if text.isdecimal() and len(text) < 6 else 1
        answer = self._mock_views.list(
            call_with(stage=None, page=max(number, 1), page_size=PAGE_SIZE)
        )
        template = "mocks_table.html" if is_partial() else "mocks.html"
        return render_template(template, **answer)

    def mock(self, mock_id: str) -> Page:
        """Show a mock data provider; only what changes if the page asks for it."""
        mock = self._mock_views.get(call_with(), mock_id)["mock"]
        is_over = mock["stage"] in {"completed", "failed"}
        if is_partial():
            body = render_template("mock_live.html", mock=mock, is_over=is_over)
            return body, STOP_POLLING if is_over else 200
        return render_template("mock.html", mock=mock, is_over=is_over)

    def labels(self, mock_id: str) -> Response:
        """Draw the labels of each partition."""
        return self._mock_views.labels(call_with(), mock_id)

    def ask_delete_mock(self, mock_id: str) -> Page:
        """Ask before deleting."""
        mock = self._mock_views.get(call_with(), mock_id)["mock"]
        return render_template("confirm_mock.html", mock=mock)

    def delete_mock(self, mock_id: str) -> Page:
        """Forget a mock data provider."""
        self._mocks.delete(mock_id, caller())
        return to_page("/mocks")

    def nodes(self) -> Page:
        """Show the page at once; asking every node takes a moment."""
        if not is_partial():
            return render_template("nodes.html")
        nodes, problem = self._nodes()
        clusters: dict[str, list[dict[str, Any]]] = {}
        for one in nodes:
            clusters.setdefault(one["cluster"], []).append(one)
        return render_template("nodes_table.html", clusters=clusters, problem=problem)

    def project_data(self, project_id: str) -> Page:
        """Show where the data of a project lie, and how mock data among them are spread."""
        project = self._projects.get(project_id, caller())
        tags = project.sla.training_configuration.data_tags
        nodes, problem = self._nodes()
        held = [(one, tag) for one in nodes for tag in tags if tag in one["data"]]
        mocks = self._mock_views.list(call_with(stage=None, page=1, page_size=100))["mocks"]
        fitting = [
            one for one in mocks if one["sla"]["mock_data_configuration"]["data_tag"] in tags
        ]
        return render_template(
            "project_data.html", held=held, tags=tags, mocks=fitting[:3], problem=problem
        )

    def tracking(self, project_id: str) -> Page:
        """Send the browser to the customer's MLflow."""
        project = self._projects.get(project_id, caller())
        url = self._tracking.url_for(caller(), project.customer_id).url
        if project.trained:
            run = project.trained
            url = f"{url}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
        return to_page(url)

    def _nodes(self) -> tuple[list[dict[str, Any]], str]:
        try:
            return self._node_views.list(call_with())["nodes"], ""
        except FlopsError as error:
            return [], f"{error.reason} {error.hint}".strip()
