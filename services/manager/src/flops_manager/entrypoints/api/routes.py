"""The table of contents of the API: every route, who may call it, what it takes and answers.

``app.py`` serves this table and ``openapi.py`` describes it, so that neither can forget a route.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flops_contracts.api import answers, queries
from flops_contracts.sla import MockSla, ProjectSla
from flops_manager.entrypoints.api.customers import DatabaseViews, ModelViews, TrackingViews
from flops_manager.entrypoints.api.mocks import MockViews
from flops_manager.entrypoints.api.nodes import NodeViews
from flops_manager.entrypoints.api.pages import Pages
from flops_manager.entrypoints.api.projects import ProjectViews
from flops_manager.entrypoints.api.status import StatusViews
from flops_manager.entrypoints.api.streams import MEDIA_TYPE

JSON: Final = "application/json"
HTML: Final = "text/html"
SVG: Final = "image/svg+xml"
TEXT: Final = "text/plain"
SCRIPT: Final = "text/javascript"

MISSING: Final = (HTTPStatus.NOT_FOUND,)
CONFLICT: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
BAD_SLA: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

PROJECTS: Final = "/api/flops/projects"
MOCKS: Final = "/api/flops/mocks"
MODELS: Final = "/api/flops/models"

Answers = type[answers.Answer] | tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """One row of the table.

    ``answer`` is the declared class of a JSON answer, or the content types of another;
    ``takes`` is the class of the body; ``errors`` are those besides the usual ones.
    """

    method: str
    path: str
    view: Callable[..., Any]
    summary: str
    answer: Answers = answers.Answer
    query: type[queries.Query] = queries.Query
    takes: type[Any] | None = None
    errors: tuple[HTTPStatus, ...] = ()
    headers: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    is_public: bool = False

    @property
    def is_sla(self) -> bool:
        """Return whether the body is an SLA."""
        return self.takes in {ProjectSla, MockSla}

    @property
    def name(self) -> str:
        """The name of the operation, unique in the table: ``project_submit``."""
        views = type(self.view.__self__).__name__  # type: ignore[attr-defined]
        return f"{views.removesuffix('Views').lower()}_{self.view.__name__}"


def project_routes(views: ProjectViews) -> tuple[Route, ...]:
    """Return the routes of projects."""
    path = f"{PROJECTS}/<project_id>"
    project = answers.ProjectAnswer
    return (
        Route(
            *("POST", PROJECTS, views.submit, "Submit a project, or check one with dry_run"),
            answer=answers.ProjectSubmitted,
            query=queries.SubmitQuery,
            takes=ProjectSla,
            errors=(*BAD_SLA, HTTPStatus.CONFLICT),
            headers=("Idempotency-Key",),
        ),
        Route(
            *("GET", PROJECTS, views.list, "List projects, newest first"),
            answer=answers.ProjectsAnswer,
            query=queries.ProjectsQuery,
        ),
        Route("GET", path, views.get, "Get a project", project, errors=MISSING),
        Route(
            *("DELETE", path, views.delete, "Stop and delete a project"),
            query=queries.DeleteQuery,
            errors=MISSING,
        ),
        Route(
            *("POST", f"{path}/cancel", views.cancel, "Cancel a project", project), errors=CONFLICT
        ),
        Route(
            *("POST", f"{path}/retry", views.retry, "Start a failed project again", project),
            errors=CONFLICT,
        ),
        Route(
            *("GET", f"{path}/events", views.events, "Get the events of a project, or stream them"),
            answer=answers.EventsAnswer,
            query=queries.EventsQuery,
            errors=MISSING,
            headers=("Last-Event-ID",),
            also=(MEDIA_TYPE,),
        ),
        Route(
            *("GET", f"{path}/logs", views.logs, "Get the last log lines of a project's services"),
            answer=answers.LogsAnswer,
            query=queries.LogsQuery,
            errors=MISSING,
        ),
        Route(
            *("GET", f"{path}/logs/lines", views.lines, "Search the logs of a project's actors"),
            answer=answers.LogLinesAnswer,
            query=queries.LogQuery,
            errors=MISSING,
        ),
    )


def mock_routes(views: MockViews) -> tuple[Route, ...]:
    """Return the routes of mock data providers."""
    path = f"{MOCKS}/<mock_id>"
    return (
        Route(
            *(
                "POST",
                MOCKS,
                views.submit,
                "Submit a mock, or check one with dry_run",
            ),
            answer=answers.MockSubmitted,
            query=queries.SubmitQuery,
            takes=MockSla,
            errors=(*BAD_SLA, HTTPStatus.CONFLICT),
            headers=("Idempotency-Key",),
        ),
        Route(
            *("GET", MOCKS, views.list, "List mock data providers, newest first"),
            answer=answers.MocksAnswer,
            query=queries.MocksQuery,
        ),
        Route(
            *("GET", path, views.get, "Get a mock data provider"),
            answer=answers.MockAnswer,
            errors=MISSING,
        ),
        Route(
            *("GET", f"{path}/logs/lines", views.lines, "Search the provider's log"),
            answer=answers.LogLinesAnswer,
            query=queries.LogQuery,
            errors=MISSING,
        ),
        Route(
            *(
                "GET",
                f"{path}/labels.svg",
                views.labels,
                "Get a picture of the labels",
            ),
            answer=(SVG,),
            errors=MISSING,
        ),
        Route("DELETE", path, views.delete, "Stop and delete a mock data provider", errors=MISSING),
    )


def customer_routes(
    tracking: TrackingViews, models: ModelViews, database: DatabaseViews, nodes: NodeViews
) -> tuple[Route, ...]:
    """Return the routes of what belongs to a customer, and those for Admins only."""
    return (
        Route(
            *(
                "GET",
                "/api/flops/tracking",
                tracking.get,
                "Get the customer's MLflow address",
            ),
            answer=answers.TrackingAnswer,
        ),
        Route(
            *("GET", MODELS, models.list, "List trained models, newest first"),
            answer=answers.ModelsAnswer,
            query=queries.PageQuery,
        ),
        Route(
            *("GET", f"{MODELS}/<project_id>", models.get, "Get the model of a project"),
            answer=answers.ModelAnswer,
            errors=MISSING,
        ),
        Route(
            *("GET", "/api/flops/nodes", nodes.list, "List active nodes and the data on them"),
            answer=answers.NodesAnswer,
        ),
        Route(
            *(
                "DELETE",
                "/api/flops/database",
                database.reset,
                "Delete everything (Admins only)",
            ),
            answer=answers.DatabaseAnswer,
            takes=queries.Customer,
        ),
    )


def public_routes(pages: Pages, status: StatusViews) -> tuple[Route, ...]:
    """Return the routes without a token: pages, health and metrics."""
    broken = (HTTPStatus.SERVICE_UNAVAILABLE,)
    return (
        Route(
            "GET",
            "/",
            pages.home,
            "Root page",
            also=(HTML,),
            is_public=True,
        ),
        Route("GET", "/openapi.json", pages.openapi, "OpenAPI document", (JSON,), is_public=True),
        Route("GET", "/docs", pages.docs, "Swagger UI", (HTML,), is_public=True),
        Route(
            *("GET", "/docs/start.js", pages.docs_start, "Script of Swagger UI", (SCRIPT,)),
            is_public=True,
        ),
        Route(
            *("GET", "/docs/assets/<name>", pages.docs_asset, "File of Swagger UI"),
            answer=("text/css", SCRIPT, "image/png"),
            errors=MISSING,
            is_public=True,
        ),
        Route("GET", "/healthz", status.healthz, "Liveness check", is_public=True),
        Route(
            *("GET", "/readyz", status.readyz, "Readiness check"),
            errors=broken,
            is_public=True,
        ),
        Route("GET", "/metrics", status.metrics, "Prometheus metrics", (TEXT,), is_public=True),
    )
