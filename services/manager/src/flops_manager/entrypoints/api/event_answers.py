"""Events as the API answers them: the envelope of MQTT, with the number in the history."""

from typing import Any

from marshmallow import Schema, fields

from flops_contracts.declared import dump, schema_of
from flops_contracts.events import Actor, Kind
from flops_manager.ports.stores import StoredEvent


class PayloadField(fields.Field[Any]):
    """What an event carries, written by the schema of the event's kind."""

    def _serialize(self, value: Any, attr: str | None, obj: StoredEvent, **kwargs: Any) -> Any:  # noqa: ARG002 - marshmallow's signature
        return dump(value)


class NumberedEventSchema(Schema):
    """One event of a history; ``seq`` counts from 1 without gaps."""

    seq = fields.Integer(required=True)
    event_id = fields.String(required=True, attribute="event.event_id")
    project_id = fields.String(required=True, attribute="event.project_id")
    actor = fields.Nested(schema_of(Actor), required=True, attribute="event.actor")
    stage = fields.String(required=True, attribute="event.stage")
    kind = fields.Enum(Kind, by_value=True, required=True, attribute="event.kind")
    at = fields.AwareDateTime(required=True, format="iso", attribute="event.at")
    payload = PayloadField(required=True, attribute="event.payload")
