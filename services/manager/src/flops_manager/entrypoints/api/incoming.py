"""Parses requests besides SLAs: customerID, query parameters, headers."""

import json
from typing import Any, Final, TypeVar

from flask import Request
from marshmallow import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from flops_contracts.api.queries import Query
from flops_contracts.declared import load
from flops_contracts.errors import FlopsError

Q = TypeVar("Q", bound=Query)

MAX_BODY_BYTES: Final = 1024 * 1024
"""An SLA has a few hundred bytes; a megabyte is not an SLA."""

MAX_KEY_LENGTH: Final = 255


class InvalidRequestError(FlopsError):
    """A query, header or body that cannot be understood; ``problems`` has a list per name."""

    def __init__(self, problems: dict[str, list[str]]) -> None:
        listed = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in problems.items())
        super().__init__(f"The request is invalid. {listed}")
        self.problems = problems


def query_of(request: Request, kind: type[Q]) -> Q:
    """Return the query parameters; raise ``InvalidRequestError``."""
    try:
        return load(kind, request.args.to_dict())
    except ValidationError as error:
        raise InvalidRequestError(error.messages_dict) from error


def customers_in(request: Request, *, is_sla: bool) -> tuple[str, ...]:
    """Return each ``customerID`` that query and body name; GET with a body is fine.

    The body of an SLA is validated later; any other must be a JSON object.
    """
    named = [request.args.get("customerID"), _document(request, is_sla=is_sla).get("customerID")]
    if not all(isinstance(name, str | None) for name in named) and not is_sla:
        raise InvalidRequestError({"customerID": ["Not a string."]})
    return tuple(name for name in named if isinstance(name, str) and name)


def body_of(request: Request) -> bytes:
    """Return the body; raise an error that is answered with 413 if it is too large.

    Werkzeug refuses a larger ``Content-Length``, but truncates a chunked body at the limit.
    """
    body = request.get_data()
    if len(body) >= MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    return body


def _document(request: Request, *, is_sla: bool) -> dict[str, Any]:
    body = body_of(request)
    if not body.strip():
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        if is_sla:
            return {}
        raise InvalidRequestError({"(body)": [f"Not valid JSON: {error}."]}) from error
    if not isinstance(document, dict):
        if is_sla:
            return {}
        raise InvalidRequestError({"(body)": ["Not a JSON object."]})
    return document


def idempotency_key_of(request: Request) -> str:
    """Return the header ``Idempotency-Key``, or an empty string; raise ``InvalidRequestError``."""
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_KEY_LENGTH or not key.isprintable():
        problem = f"At most {MAX_KEY_LENGTH} printable characters."
        raise InvalidRequestError({"Idempotency-Key": [problem]})
    return key


def last_event_of(request: Request) -> int | None:
    """Return the header ``Last-Event-ID``, which resumes an interrupted stream."""
    text = request.headers.get("Last-Event-ID", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequestError({"Last-Event-ID": ["Not the id of an event of this stream."]})
    return int(text)


def wants(request: Request, kind: str) -> bool:
    """Return whether the client prefers ``kind`` to JSON, which is the default."""
    return request.accept_mimetypes.best_match(["application/json", kind]) == kind
