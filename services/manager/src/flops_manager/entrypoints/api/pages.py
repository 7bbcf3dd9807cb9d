"""The root page and the documentation of the API; nothing is loaded from another host."""

import mimetypes
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from flask import Response, abort, redirect, request
from swagger_ui_bundle import swagger_ui_path
from werkzeug.wrappers import Response as BaseResponse

from flops_manager.entrypoints.api.incoming import wants

ASSETS: Final = frozenset(
    {"swagger-ui.css", "swagger-ui-bundle.js", "favicon-16x16.png", "favicon-32x32.png"}
)

_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # Swagger UI sets styles on its elements
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY: Final = "; ".join(f"{key} {value}" for key, value in _POLICY.items())

_START: Final = """\
window.onload = function () {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
  });
};
"""

_DOCS: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FLOps API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; <a href="/openapi.json">openapi.json</a> has the same content.
</noscript>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""


class Pages:
    """The root page, and the documentation of the API."""

    def __init__(self) -> None:
        self._openapi: dict[str, Any] = {}

    def describe(self, openapi: dict[str, Any]) -> None:
        """Set the description; it includes these pages, so it is known after their construction."""
        self._openapi = openapi

    def home(self) -> dict[str, Any] | BaseResponse:
        """Answer ok to programs, and redirect browsers to the projects."""
        if not wants(request, "text/html"):
            return {"message": "ok"}
        response = redirect("/projects", HTTPStatus.SEE_OTHER)
        response.headers["Vary"] = "Accept"
        return response

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description."""
        return self._openapi

    def docs(self) -> Response:
        """Return the page with Swagger UI."""
        return _page(_DOCS)

    def docs_start(self) -> Response:
        """Return the script that starts Swagger UI; the policy forbids scripts inside the page."""
        return Response(_START, mimetype="text/javascript")

    def docs_asset(self, name: str) -> Response:
        """Return a file of the Swagger UI package."""
        if name not in ASSETS:
            abort(HTTPStatus.NOT_FOUND)
        body = (Path(str(swagger_ui_path)) / name).read_bytes()
        response = Response(body, mimetype=mimetypes.guess_type(name)[0])
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


def _page(text: str) -> Response:
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Vary"] = "Accept"
    return response
