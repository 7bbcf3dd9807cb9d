"""The schemas of an SLA's ``privacy``; ``sla_rules`` says what goes together."""

from typing import Any

from marshmallow import fields, validate

from flops_contracts.privacy import (
    AdaptiveClipping,
    Clipper,
    DifferentialPrivacy,
    DpModel,
    Privacy,
    SecureAggregation,
)
from flops_contracts.strict_schemas import SlaSchema


def _positive(*, default: float | None = None) -> fields.Float:
    above_zero = validate.Range(min=0, min_inclusive=False)
    if default is None:
        return fields.Float(required=True, validate=above_zero)
    return fields.Float(load_default=default, validate=above_zero)


def _at_least_zero() -> fields.Float:
    return fields.Float(load_default=0.0, validate=validate.Range(min=0))


def _inner_part(default: float | None = None) -> fields.Float:
    inside = validate.Range(min=0, max=1, min_inclusive=False, max_inclusive=False)
    return fields.Float(load_default=default, validate=inside)


class AdaptiveClippingSchema(SlaSchema):
    """See ``AdaptiveClipping``."""

    builds = AdaptiveClipping
    quantile = _inner_part(0.5)
    learning_rate = _positive(default=0.2)
    count_noise = _at_least_zero()


class DifferentialPrivacySchema(SlaSchema):
    """See ``DifferentialPrivacy``."""

    builds = DifferentialPrivacy
    clipping_norm = _positive()
    noise_multiplier = _positive()
    model = fields.Enum(DpModel, by_value=True, load_default=DpModel.CENTRAL)
    clipping = fields.Enum(Clipper, by_value=True, load_default=Clipper.SERVER)
    adaptive = fields.Nested(AdaptiveClippingSchema, load_default=None, allow_none=True)
    delta = _inner_part(1e-5)
    epsilon_budget = _at_least_zero()


class SecureAggregationSchema(SlaSchema):
    """See ``SecureAggregation``."""

    builds = SecureAggregation
    threshold = fields.Float(
        load_default=2 / 3, validate=validate.Range(min=0.5, max=1, min_inclusive=False)
    )
    bound = _positive(default=8.0)


class PrivacySchema(SlaSchema):
    """See ``Privacy``."""

    builds = Privacy
    differential_privacy = fields.Nested(
        DifferentialPrivacySchema, load_default=None, allow_none=True
    )
    secure_aggregation = fields.Nested(SecureAggregationSchema, load_default=None, allow_none=True)


def read_privacy(document: Any) -> Privacy:
    """Return what ``document`` promises; raise marshmallow's ``ValidationError``."""
    privacy: Privacy = PrivacySchema().load(document)
    return privacy


def privacy_document(privacy: Privacy) -> Any:
    """Return the document that ``read_privacy`` reads."""
    return PrivacySchema().dump(privacy)
