"""How schemas and dataclasses meet: a schema names the class it builds."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, post_load


class DataclassSchema(Schema):
    """A schema that loads into ``builds``, and dumps from it by attribute names."""

    builds: ClassVar[type[Any]]

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        """Return the dataclass of the validated ``data``."""
        return self.builds(**data)


class TupleOf(fields.List[Any]):
    """A JSON list that is a tuple inside, as frozen dataclasses want it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **kwargs))
