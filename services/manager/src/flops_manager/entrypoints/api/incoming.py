"""Parses requests besides SLAs: customerID, query parameters, headers."""

import json
from typing import Any, Final

from flask import Request
from marshmallow import RAISE, Schema, ValidationError, fields, validate
from werkzeug.exceptions import RequestEntityTooLarge

from flops_contracts.errors import FlopsError
from flops_contracts.log_lines import LEVELS
from flops_contracts.roles import MockStage, Stage

MAX_BODY_BYTES: Final = 1024 * 1024
"""An SLA has a few hundred bytes; a megabyte is not an SLA."""

MAX_KEY_LENGTH: Final = 255


class InvalidRequestError(FlopsError):
    """A query, header or body that cannot be understood; ``problems`` has a list per name."""

    def __init__(self, problems: dict[str, list[str]]) -> None:
        listed = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in problems.items())
        super().__init__(f"The request is invalid. {listed}")
        self.problems = problems


class QuerySchema(Schema):
    """For every endpoint. Unknown names are refused: `dryrun` must not create anything."""

    class Meta:
        """marshmallow's options."""

        unknown = RAISE

    customer_id = fields.String(
        data_key="customerID",
        load_default="",
        validate=validate.Length(max=100),
        metadata={"description": "Must be the token's user, unless that is an Admin."},
    )


class SubmitQuerySchema(QuerySchema):
    """For submitting."""

    dry_run = fields.Boolean(
        load_default=False, metadata={"description": "Check everything, create nothing."}
    )


class DeleteQuerySchema(QuerySchema):
    """For deleting a project."""

    mlflow = fields.Boolean(
        load_default=False,
        metadata={"description": "Delete its experiment and its model in MLflow, too."},
    )


class PageQuerySchema(QuerySchema):
    """For lists."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000_000))
    page_size = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))


class ProjectsQuerySchema(PageQuerySchema):
    """For the list of projects."""

    stage = fields.Enum(Stage, by_value=True, load_default=None)


class MocksQuerySchema(PageQuerySchema):
    """For the list of mock data providers."""

    stage = fields.Enum(MockStage, by_value=True, load_default=None)


class EventsQuerySchema(QuerySchema):
    """For the history of a project."""

    after = fields.Integer(
        load_default=0,
        validate=validate.Range(min=0, max=2**53),
        metadata={"description": "Only events after the one with this `seq`."},
    )
    limit = fields.Integer(load_default=500, validate=validate.Range(min=1, max=1000))


class LogsQuerySchema(QuerySchema):
    """For the logs of a project."""

    actor = fields.String(
        load_default="",
        validate=validate.Length(max=100),
        metadata={"description": "Only this actor: an `instance`, or a role."},
    )


class LogLinesQuerySchema(LogsQuerySchema):
    """For the lines of a project's logs; all filters hold."""

    after = fields.Integer(
        load_default=None,
        validate=validate.Range(min=0, max=2**53),
        metadata={"description": "Lines after an answer's `last_seq`; without it the last lines."},
    )
    limit = fields.Integer(load_default=200, validate=validate.Range(min=1, max=1000))
    node = fields.String(load_default="", validate=validate.Length(max=200))
    level = fields.String(
        load_default="",
        validate=validate.OneOf(("", *LEVELS)),
        metadata={"description": "Show this level and above."},
    )
    round = fields.Integer(load_default=None, validate=validate.Range(min=0))
    text = fields.String(
        load_default="",
        validate=validate.Length(max=200),
        metadata={"description": "Text in the message or the logger's name; case does not matter."},
    )


class CustomerSchema(Schema):
    """A body that names the customer; other keys are ignored, as clients may send more."""

    customer_id = fields.String(data_key="customerID", load_default="")


def query_of(request: Request, schema: type[QuerySchema]) -> dict[str, Any]:
    """Return the query parameters; raise ``InvalidRequestError``."""
    try:
        query: dict[str, Any] = schema().load(request.args.to_dict())
    except ValidationError as error:
        raise InvalidRequestError(error.messages_dict) from error
    return query


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
