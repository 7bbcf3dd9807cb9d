"""From an event to bytes and back; the only place that knows how an MQTT message is written."""

import json
from typing import Any

from marshmallow import ValidationError, fields, validate

from flops_contracts.errors import FlopsError
from flops_contracts.events import Event, Kind
from flops_contracts.payloads import PAYLOADS, ActorSchema, MessageSchema


class MalformedMessageError(FlopsError):
    """Bytes that are no envelope of ours; whoever receives them logs and drops them."""


class EnvelopeSchema(MessageSchema):
    """The envelope; ``payload`` is read by the schema of its kind."""

    builds = Event
    event_id = fields.String(required=True, validate=validate.Length(min=1, max=64))
    project_id = fields.String(required=True, validate=validate.Length(min=1, max=64))
    actor = fields.Nested(ActorSchema, required=True)
    stage = fields.String(required=True)
    kind = fields.Enum(Kind, by_value=True, required=True)
    at = fields.AwareDateTime(required=True, format="iso")
    payload = fields.Dict(required=True)
    trace = fields.String(load_default="", validate=validate.Length(max=64))


def document_from_event(event: Event) -> dict[str, Any]:
    """Return ``event`` as a JSON-compatible dict."""
    document: dict[str, Any] = EnvelopeSchema(exclude=("payload",)).dump(event)
    document["payload"] = PAYLOADS[event.kind]().dump(event.payload)
    if not event.trace:
        # As ever, where nobody traces.
        del document["trace"]
    return document


def event_from_document(document: Any) -> Event:
    """Return the event in ``document``; raise ``MalformedMessageError``."""
    try:
        event: Event = EnvelopeSchema().load(document)
        payload = PAYLOADS[event.kind]().load(event.payload)
    except ValidationError as error:
        raise MalformedMessageError(f"not an event: {error.messages}") from error
    return Event(**{**vars(event), "payload": payload})


def encode(event: Event) -> bytes:
    """Return ``event`` as UTF-8 JSON; a NaN is refused by ``ValueError``, because JSON has none."""
    return json.dumps(document_from_event(event), allow_nan=False, sort_keys=True).encode()


def decode(data: bytes) -> Event:
    """Return the event in ``data``; raise ``MalformedMessageError``."""
    try:
        document = json.loads(data)
    except ValueError as error:
        raise MalformedMessageError(f"not JSON: {error}") from error
    return event_from_document(document)
