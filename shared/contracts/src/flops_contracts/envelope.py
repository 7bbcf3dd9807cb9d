"""From an event to bytes and back; the only place that knows how an MQTT message is written."""

import json
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError

from flops_contracts.declared import dump, load
from flops_contracts.errors import FlopsError
from flops_contracts.events import PAYLOADS, Event
from flops_contracts.text import LONGEST_TEXT, storable_document


class MalformedMessageError(FlopsError):
    """Bytes that are not an event of FLOps; a receiver logs and drops them."""


def document_from_event(event: Event) -> dict[str, Any]:
    """Return ``event`` as a JSON-compatible dict."""
    return {**dump(event), "payload": dump(event.payload)}


def event_from_document(document: Any) -> Event:
    """Return the event in ``document``; raise ``MalformedMessageError``."""
    try:
        event = load(Event, document)
        return replace(event, payload=load(PAYLOADS[event.kind], event.payload))
    except ValidationError as error:
        raise MalformedMessageError(f"not an event: {error.messages}") from error


def encode(event: Event) -> bytes:
    """Return ``event`` as UTF-8 JSON; a NaN is refused by ``ValueError``, because JSON has none."""
    return json.dumps(document_from_event(event), allow_nan=False, sort_keys=True).encode()


def decode(data: bytes) -> Event:
    """Return the event in ``data``; raise ``MalformedMessageError``."""
    return event_from_document(parsed(data))


def parsed(data: bytes, longest: int = LONGEST_TEXT) -> Any:
    """Return a message's JSON with storable texts; raise ``MalformedMessageError``."""
    try:
        return storable_document(json.loads(data), longest)
    except (ValueError, RecursionError) as error:
        raise MalformedMessageError(f"not JSON: {error}") from error
