"""Serves the table of routes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, Response, g, request

from flops_contracts.api.answers import Answer
from flops_contracts.declared import dump
from flops_manager.entrypoints.api.callers import Call, Senders
from flops_manager.entrypoints.api.customers import DatabaseViews, ModelViews, TrackingViews
from flops_manager.entrypoints.api.errors import register_error_handlers
from flops_manager.entrypoints.api.incoming import MAX_BODY_BYTES, query_of
from flops_manager.entrypoints.api.mocks import MockViews
from flops_manager.entrypoints.api.nodes import NodeViews
from flops_manager.entrypoints.api.openapi import openapi_document
from flops_manager.entrypoints.api.pages import Pages
from flops_manager.entrypoints.api.projects import ProjectViews
from flops_manager.entrypoints.api.routes import (
    Route,
    customer_routes,
    mock_routes,
    project_routes,
    public_routes,
)
from flops_manager.entrypoints.api.status import StatusViews
from flops_manager.entrypoints.api.streams import Pace, Streams
from flops_manager.entrypoints.api.telemetry import Telemetry
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.database import Database
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.models import Models
from flops_manager.usecases.projects import Projects
from flops_manager.usecases.root_check import RootCheck
from flops_manager.usecases.survey import Survey
from flops_manager.usecases.tracking import Tracking

STREAMS: Final = "flops_streams"
"""The key in ``Flask.extensions`` of the streams, for the server to close them when it stops."""


@dataclass(frozen=True)
class UseCases:
    """The use cases that the API calls."""

    projects: Projects
    mocks: Mocks
    tracking: Tracking
    models: Models
    database: Database
    survey: Survey
    root_check: RootCheck


def make_api(
    use_cases: UseCases,
    senders: Senders,
    *,
    max_streams: int = 16,
    pace: Pace | None = None,
    pause: Callable[[float], object] | None = None,
) -> Flask:
    """Return the API over ``use_cases``."""
    telemetry = Telemetry()
    streams = Streams(
        use_cases.projects, limit=max_streams, gauge=telemetry.streams, pace=pace, pause=pause
    )
    routes, pages = _routes(use_cases, streams, telemetry)
    pages.describe(openapi_document(routes))
    flask = Flask("flops_manager", static_folder=None)
    flask.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    flask.url_map.strict_slashes = False
    flask.extensions[STREAMS] = streams
    telemetry.watch(flask)
    flask.after_request(_harden)
    register_error_handlers(flask)
    for route in routes:
        view = _public(route) if route.is_public else _guarded(route, senders)
        flask.add_url_rule(route.path, route.name, view, methods=[route.method])
    return flask


def _routes(
    use_cases: UseCases, streams: Streams, telemetry: Telemetry
) -> tuple[tuple[Route, ...], Pages]:
    def require_ready() -> None:
        use_cases.projects.list(Caller("nobody"), None, 1, 1)
        use_cases.root_check.require()

    pages = Pages()
    routes = (
        *project_routes(ProjectViews(use_cases.projects, streams)),
        *mock_routes(MockViews(use_cases.mocks)),
        *customer_routes(
            TrackingViews(use_cases.tracking),
            ModelViews(use_cases.models),
            DatabaseViews(use_cases.database),
            NodeViews(use_cases.survey),
        ),
        *public_routes(pages, StatusViews(require_ready, telemetry)),
    )
    return routes, pages


def _public(route: Route) -> Callable[..., Any]:
    def view(**path: str) -> Any:
        return route.view(**path)

    return view


def _guarded(route: Route, senders: Senders) -> Callable[..., Any]:
    """Return a view that is called with verified callers and validated queries only."""

    def view(**path: str) -> Any:
        sender = senders.of(request, is_sla=route.is_sla)
        g.user = sender.caller.user
        answer = route.view(Call(sender, query_of(request, route.query)), **path)
        return dump(answer) if isinstance(answer, Answer) else answer

    return view


def _harden(response: Response) -> Response:
    """Forbid browsers to guess types, to frame, and to cache answers."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    return response
