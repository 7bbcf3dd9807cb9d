"""Events in the API's answers: the documents of MQTT, with their numbers in the history."""

from typing import Any

from marshmallow import Schema, fields

from flops_contracts.declared import schema_of
from flops_contracts.events import Actor, Kind
from flops_manager.ports.stores import StoredEvent


class PayloadField(fields.Field[Any]):
    """The payload of an event; ``openapi.py`` lists the schemas of all kinds."""


class NumberedEventSchema(Schema):
    """One event of a history, as it is stored; ``seq`` counts from 1 without gaps."""

    seq = fields.Integer(required=True)
    event_id = fields.String(required=True)
    project_id = fields.String(required=True)
    actor = fields.Nested(schema_of(Actor), required=True)
    stage = fields.String(required=True)
    kind = fields.Enum(Kind, by_value=True, required=True)
    at = fields.AwareDateTime(required=True, format="iso")
    payload = PayloadField(required=True)


def numbered(event: StoredEvent) -> dict[str, Any]:
    """Return the stored document as it is answered."""
    document = {"seq": event.seq, **event.document}
    document.pop("trace", None)
    return document
