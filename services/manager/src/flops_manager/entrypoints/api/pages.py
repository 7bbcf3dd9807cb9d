"""The few pages for browsers, made here and complete in themselves: no other host is asked."""

import html
import mimetypes
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from flask import Response, abort, request
from swagger_ui_bundle import swagger_ui_path

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

_STYLE: Final = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1d2733; background: #fff; }
code { font: 0.9em ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.35rem 0.75rem 0.35rem 0; border-bottom: 1px solid #d9e0e7;
  vertical-align: top; }
"""

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
<noscript>This page needs JavaScript; <a href="/openapi.json">openapi.json</a> says the same.
</noscript>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

_HOME: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FLOps manager</title>
<style>{style}</style>
</head>
<body>
<h1>FLOps manager</h1>
<p>This is the API that turns a git repository into a federated training job on an Oakestra
cluster. It is made for programs; <code>flops</code> and <code>oak addon flops</code> speak to it.
Try it out in the <a href="/docs">documentation</a>, or read its machine-readable form in
<a href="/openapi.json">/openapi.json</a>.</p>
<table>
<thead><tr><th>Request</th><th>What it does</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


class Pages:
    """The root page, and the documentation of the API."""

    def __init__(self) -> None:
        self._home = ""
        self._openapi: dict[str, Any] = {}

    def describe(self, requests: Sequence[tuple[str, str]], openapi: dict[str, Any]) -> None:
        """Say what there is; the pages are routes too, so this comes after the table."""
        rows = "\n".join(
            f"<tr><td><code>{html.escape(line)}</code></td><td>{html.escape(summary)}</td></tr>"
            for line, summary in requests
        )
        self._home = _HOME.format(style=_STYLE, rows=rows)
        self._openapi = openapi

    def home(self) -> dict[str, Any] | Response:
        """Answer ok to programs, and show browsers what there is."""
        if wants(request, "text/html"):
            return _page(self._home)
        return {"message": "ok"}

    def openapi(self) -> dict[str, Any]:
        """Describe the API as OpenAPI."""
        return self._openapi

    def docs(self) -> Response:
        """Show the description in Swagger UI."""
        return _page(_DOCS)

    def docs_start(self) -> Response:
        """Start Swagger UI; a file of its own, because the policy allows no script in the page."""
        return Response(_START, mimetype="text/javascript")

    def docs_asset(self, name: str) -> Response:
        """Send a file of Swagger UI as its package has it."""
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
