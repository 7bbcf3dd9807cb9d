"""Schemas that refuse what they do not know, and fields that take no text for a number."""

import difflib
from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, validate, validates_schema

from flops_contracts.schemas import DataclassSchema


class SlaSchema(DataclassSchema):
    """A part of an SLA: unknown keys are refused by name, with the nearest known one."""

    error_messages = {"type": "Must be a JSON object."}  # noqa: RUF012  as marshmallow has it

    class Meta:
        """marshmallow's options; ``refuse_unknown_keys`` says it better than ``RAISE``."""

        unknown = EXCLUDE

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def refuse_unknown_keys(self, _data: Any, original: Any, **_: Any) -> None:
        """Report every key that no field has."""
        if not isinstance(original, dict):
            return
        known = sorted(one.data_key or name for name, one in self.fields.items())
        problems = {str(key): [_unknown(str(key), known)] for key in original if key not in known}
        if problems:
            raise ValidationError(problems)


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return f"Unknown key. Did you mean '{near[0]}'?"
    return f"Unknown key. Known: {', '.join(known)}."


def strict_count(default: int, maximum: int) -> fields.Integer:
    """Return a field for whole numbers from 1."""
    return fields.Integer(
        load_default=default, strict=True, validate=validate.Range(min=1, max=maximum)
    )
