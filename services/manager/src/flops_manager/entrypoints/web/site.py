"""The table of all pages, and what they share."""

import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import js_lib_htmx
from flask import Blueprint, Flask, Response, abort, g, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException
from werkzeug.wrappers import Response as BaseResponse

from flops_contracts.errors import FlopsError
from flops_manager.domain.errors import NotAuthenticatedError
from flops_manager.entrypoints.api.errors import STATUS, answer_unexpected
from flops_manager.entrypoints.api.serving import STREAMS, UseCases
from flops_manager.entrypoints.web import visitors
from flops_manager.entrypoints.web.other_pages import OtherPages
from flops_manager.entrypoints.web.project_pages import Page, ProjectPages, to_page
from flops_manager.entrypoints.web.submit_pages import SubmitPages
from flops_manager.entrypoints.web.visitors import Doorkeeper, Visitors
from flops_manager.entrypoints.web.words import FILTERS
from flops_manager.ports.model_servers import ModelServers

_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY: Final = "; ".join(f"{key} {value}" for key, value in _POLICY.items())

STATIC: Final = Path(__file__).parent / "static"
HTMX: Final = Path(js_lib_htmx.__file__).parent / "static" / "htmx" / "htmx.min.js"
FILES: Final = {
    "site.css": STATIC / "site.css",
    "site.js": STATIC / "site.js",
    "icon.svg": STATIC / "icon.svg",
    "htmx.js": HTMX,
}


@dataclass(frozen=True)
class Row:
    """A page: its path, its view, and the HTTP method."""

    path: str
    view: Callable[..., Any]
    method: str = "GET"


def add_site(app: Flask, use_cases: UseCases, who: Visitors, models: ModelServers) -> None:
    """Add the pages to the app of the API."""
    site = Blueprint("site", __name__, template_folder="templates")
    projects = ProjectPages(use_cases.projects, app.extensions[STREAMS], models)
    submit = SubmitPages(use_cases.projects, use_cases.mocks)
    other = OtherPages(use_cases.projects, use_cases.mocks, use_cases.survey, use_cases.tracking)
    door = Doorkeeper(who)
    for row in (*_project_rows(projects, other), *_other_rows(submit, other)):
        name = f"{type(row.view.__self__).__name__}_{row.view.__name__}"  # type: ignore[attr-defined]
        site.add_url_rule(row.path, name, door.guard(row.view), methods=[row.method])
    _add_public(site, who)
    site.after_request(_harden)
    site.register_error_handler(FlopsError, _explain)
    site.register_error_handler(HTTPException, _explain_http)
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(site)


def _project_rows(pages: ProjectPages, other: OtherPages) -> tuple[Row, ...]:
    item = "/projects/<project_id>"
    return (
        Row("/projects", pages.overview),
        Row(item, pages.show),
        Row(f"{item}/live", pages.live),
        Row(f"{item}/events", pages.events),
        Row(f"{item}/logs", pages.logs),
        Row(f"{item}/data", other.project_data),
        Row(f"{item}/mlflow", other.tracking),
        Row(f"{item}/cancel", pages.ask_cancel),
        Row(f"{item}/cancel", pages.cancel, "POST"),
        Row(f"{item}/retry", pages.retry, "POST"),
        Row(f"{item}/delete", pages.ask_delete),
        Row(f"{item}/delete", pages.delete, "POST"),
        Row(f"{item}/sample", pages.sample, "POST"),
    )


def _other_rows(submit: SubmitPages, other: OtherPages) -> tuple[Row, ...]:
    return (
        Row("/projects/new", submit.new_project),
        Row("/projects/new", submit.submit_project, "POST"),
        Row("/projects/check", submit.check_project, "POST"),
        Row("/mocks", other.mocks),
        Row("/mocks/new", submit.new_mock),
        Row("/mocks/new", submit.submit_mock, "POST"),
        Row("/mocks/check", submit.check_mock, "POST"),
        Row("/mocks/<mock_id>", other.mock),
        Row("/mocks/<mock_id>/labels.svg", other.labels),
        Row("/mocks/<mock_id>/delete", other.ask_delete_mock),
        Row("/mocks/<mock_id>/delete", other.delete_mock, "POST"),
        Row("/nodes", other.nodes),
    )


def _add_public(site: Blueprint, who: Visitors) -> None:
    def sign_in_form() -> Page | BaseResponse:
        if not who.can_sign_in:
            return redirect("/projects")
        return render_template("sign_in.html", next=request.args.get("next", ""), problem="")

    def sign_in() -> Page | tuple[str, int]:
        visitors.require_own_page(request)
        form = request.form
        try:
            tokens = who.sign_in(
                form.get("user", ""), form.get("password", ""), form.get("organization", "")
            )
        except NotAuthenticatedError as error:
            page = render_template("sign_in.html", next=form.get("next", ""), problem=error.reason)
            return page, HTTPStatus.UNAUTHORIZED
        response = to_page(visitors.local_path(form.get("next", "")))
        visitors.begin_session(response, tokens)
        return response

    def sign_out() -> Page:
        visitors.require_own_page(request)
        response = to_page("/sign-in")
        visitors.end_session(response)
        return response

    site.add_url_rule("/sign-in", "sign_in_form", sign_in_form)
    site.add_url_rule("/sign-in", "sign_in", sign_in, methods=["POST"])
    site.add_url_rule("/sign-out", "sign_out", sign_out, methods=["POST"])
    site.add_url_rule("/static/<name>", "static_file", static_file)

    @site.context_processor
    def visitor() -> dict[str, Any]:
        """Return the variables of every template."""
        return {
            "visitor": g.get("caller"),
            "can_sign_in": who.can_sign_in,
            "csrf_token": visitors.csrf_token,
        }


def static_file(name: str) -> BaseResponse:
    """Return a file of the site."""
    if name not in FILES:
        abort(HTTPStatus.NOT_FOUND)
    response = Response(FILES[name].read_bytes(), mimetype=mimetypes.guess_type(name)[0])
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    return response.make_conditional(request)


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    # With no-referrer, browsers send no Origin with a form.
    response.headers.setdefault("Referrer-Policy", "same-origin")
    # The answer depends on the cookie, and on whether a part of the page is requested.
    response.vary.update(["Cookie", "HX-Request"])
    if "browser" in g or "renewed_token" in g:
        visitors.keep_session(response)
    return response


def _explain(error: FlopsError) -> Any:
    if isinstance(error, NotAuthenticatedError):
        return visitors.to_sign_in()
    status = STATUS.get(type(error))
    if status is None:
        return answer_unexpected(error)
    page = render_template("error.html", status=status, reason=error.reason, hint=error.hint)
    return page, status


def _explain_http(error: HTTPException) -> Any:
    if isinstance(error, RoutingException):
        return error.get_response()
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    page = render_template("error.html", status=status, reason=error.description or "", hint="")
    return page, status
