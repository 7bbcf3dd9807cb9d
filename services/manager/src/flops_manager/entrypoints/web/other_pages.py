"""Mock data, nodes, and the data of a project."""

from typing import Final

from flask import Response, render_template, request

from flops_contracts.declared import dump
from flops_contracts.errors import FlopsError
from flops_manager.domain.nodes import Landscape, Node
from flops_manager.entrypoints.api.mocks import labels_picture
from flops_manager.entrypoints.web.project_pages import STOP_POLLING, Page, to_page
from flops_manager.entrypoints.web.visitors import caller, is_partial
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.projects import Projects
from flops_manager.usecases.survey import Survey
from flops_manager.usecases.tracking import Tracking

PAGE_SIZE: Final = 25


class OtherPages:
    """The pages about mock data and nodes, and what they add to a project's page."""

    def __init__(
        self, projects: Projects, mocks: Mocks, survey: Survey, tracking: Tracking
    ) -> None:
        self._projects = projects
        self._tracking = tracking
        self._mocks = mocks
        self._survey = survey

    def mocks(self) -> Page:
        """Show the mock data providers."""
        text = request.args.get("page", "")
        number = max(int(text), 1) if text.isdecimal() and len(text) < 6 else 1
        page = self._mocks.list(caller(), None, number, PAGE_SIZE)
        template = "mocks_table.html" if is_partial() else "mocks.html"
        return render_template(
            template, mocks=page.items, total=page.total, page=number, page_size=PAGE_SIZE
        )

    def mock(self, mock_id: str) -> Page:
        """Show a mock data provider; only its changing part if the page requests that."""
        mock = self._mocks.get(mock_id, caller())
        is_over = mock.stage.is_final
        if is_partial():
            body = render_template("mock_live.html", mock=mock, is_over=is_over)
            return body, STOP_POLLING if is_over else 200
        sla = dump(mock.sla)
        return render_template("mock.html", mock=mock, is_over=is_over, sla=sla)

    def labels(self, mock_id: str) -> Response:
        """Return the picture of each partition's labels."""
        return labels_picture(self._mocks.get(mock_id, caller()))

    def ask_delete_mock(self, mock_id: str) -> Page:
        """Ask before deleting."""
        return render_template("confirm_mock.html", mock=self._mocks.get(mock_id, caller()))

    def delete_mock(self, mock_id: str) -> Page:
        """Delete a mock data provider."""
        self._mocks.delete(mock_id, caller())
        return to_page("/mocks")

    def nodes(self) -> Page:
        """Show the page at once, and the nodes in a second request: asking them takes a moment."""
        if not is_partial():
            return render_template("nodes.html")
        landscape, problem = self._look()
        clusters: dict[str, list[Node]] = {}
        for node in landscape.nodes:
            clusters.setdefault(node.cluster, []).append(node)
        return render_template(
            "nodes_table.html", clusters=clusters, data=landscape.data, problem=problem
        )

    def project_data(self, project_id: str) -> Page:
        """Show which nodes hold a project's data, and how mock data among them are spread."""
        project = self._projects.get(project_id, caller())
        tags = project.sla.training_configuration.data_tags
        landscape, problem = self._look()
        rows = [
            (node, tag, stats)
            for node in landscape.nodes
            for tag, stats in landscape.data.get(node.label, {}).items()
            if tag in tags
        ]
        mocks = [
            mock
            for mock in self._mocks.list(caller(), None, 1, 100).items
            if mock.sla.mock_data_configuration.data_tag in tags
        ]
        return render_template(
            "project_data.html", rows=rows, tags=tags, mocks=mocks[:3], problem=problem
        )

    def tracking(self, project_id: str) -> Page:
        """Redirect the browser to the customer's MLflow."""
        project = self._projects.get(project_id, caller())
        url = self._tracking.url_for(caller(), project.customer_id).url
        if project.trained:
            run = project.trained
            url = f"{url}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
        return to_page(url)

    def _look(self) -> tuple[Landscape, str]:
        try:
            return self._survey.look(), ""
        except FlopsError as error:
            return Landscape(), f"{error.reason} {error.hint}".strip()
