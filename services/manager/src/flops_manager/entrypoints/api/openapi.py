"""Generates the OpenAPI description from the table of routes and the schemas.

Version 3.0, because the packaged Swagger UI cannot show a later one.
"""

import re
from http import HTTPStatus
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from flops_contracts.api.answers import Error, NumberedEvent
from flops_contracts.declared import schema_of
from flops_contracts.events import PAYLOADS
from flops_contracts.version import VERSION
from flops_manager.entrypoints.api.routes import JSON, Route

_EVENT: Final = NumberedEvent.__name__
_TOKEN: Final = "token"  # noqa: S105 - the name of a scheme
_USUAL: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_HEADERS: Final = {
    "Idempotency-Key": "Any string chosen by the client. Repeating it returns the first response.",
    "Last-Event-ID": "The number of the last event that the client has; overrides `after`.",
}


def openapi_document(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Return the description of ``routes``."""
    spec = APISpec(
        title="FLOps manager",
        version=VERSION,
        openapi_version="3.0.3",
        plugins=[MarshmallowPlugin()],
        info={"description": "Federated learning on Oakestra, from a git repository to a model."},
        tags=_tags(routes),
    )
    spec.components.security_scheme(
        _TOKEN, {"type": "http", "scheme": "bearer", "description": "A token of the root's login."}
    )
    for payload in dict.fromkeys(PAYLOADS.values()):
        spec.components.schema(payload.__name__, schema=schema_of(payload))
    for route in routes:
        path = re.sub(r"<(\w+)>", r"{\1}", route.path)
        spec.path(path, operations={route.method.lower(): _operation(route)})
    document = spec.to_dict()
    _tell_kinds_apart(document["components"]["schemas"])
    return document


def _tags(routes: tuple[Route, ...]) -> list[dict[str, str]]:
    # The order on the page: routes that need a token first.
    ordered = sorted(routes, key=lambda route: route.is_public)
    return [{"name": name} for name in dict.fromkeys(_tag(route) for route in ordered)]


def _tag(route: Route) -> str:
    return route.name.partition("_")[0]


def _tell_kinds_apart(schemas: dict[str, Any]) -> None:
    """Replace the schema of events by one for each kind, because the kind decides the payload."""
    event = schemas[_EVENT]
    mapping = {}
    for kind, payload in PAYLOADS.items():
        name = f"{kind.title().replace('_', '')}Event"
        properties = {
            **event["properties"],
            "kind": {"type": "string", "enum": [kind.value]},
            "payload": _reference(payload.__name__),
        }
        schemas[name] = {**event, "properties": properties}
        mapping[kind.value] = _reference(name)["$ref"]
    schemas[_EVENT] = {
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_tag(route)],
        "parameters": _parameters(route),
        "responses": _responses(route),
        "security": [] if route.is_public else [{_TOKEN: []}],
    }
    # A body of DELETE has no meaning in OpenAPI 3.0; customerID may be in the query instead.
    if route.takes and route.method == "POST":
        content = {JSON: {"schema": schema_of(route.takes)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    text = {"type": "string"}
    parameters: list[dict[str, Any]] = [
        {"in": "path", "name": name, "required": True, "schema": text}
        for name in re.findall(r"<(\w+)>", route.path)
    ]
    parameters += [
        {"in": "header", "name": name, "schema": text, "description": _HEADERS[name]}
        for name in route.headers
    ]
    if not route.is_public:
        parameters.append({"in": "query", "schema": schema_of(route.query)})
    return parameters


def _responses(route: Route) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if isinstance(route.answer, tuple):
        content.update({kind: {"schema": _schema_of(kind)} for kind in route.answer})
    else:
        content[JSON] = {"schema": schema_of(route.answer)}
    content.update({kind: {"schema": {"type": "string"}} for kind in route.also})
    responses: dict[str, Any] = {"200": {"description": route.summary, "content": content}}
    for status in sorted({*route.errors, *(() if route.is_public else _USUAL)}):
        error = {JSON: {"schema": schema_of(Error)}}
        responses[str(status.value)] = {"description": status.phrase, "content": error}
    return responses


def _schema_of(kind: str) -> dict[str, str]:
    if kind == JSON:
        return {"type": "object"}
    return {"type": "string", "format": "binary"} if kind == "image/png" else {"type": "string"}
