"""Fields that are declared once: type, default, range and meaning stand in a frozen dataclass.

``load`` and ``dump`` turn JSON documents into such a dataclass and back by the marshmallow schema
that ``schema_of`` derives from it. OpenAPI, the reference pages and the stored documents use the
same schema; ``flops_runtime.environment`` reads and writes the same fields as variables.
See docs/adr/0053.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from datetime import datetime
from enum import EnumType
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates_schema,
)
from marshmallow.error_store import merge_errors

T = TypeVar("T")
Rule = Callable[[Mapping[str, Any]], Iterator[tuple[str, Any]]]
"""Yields names of fields and what is wrong with them, from the values of all fields."""

_SCHEMAS: Final[dict[type[Any], "type[DataclassSchema]"]] = {}
_INSTANCES: Final[dict[type[Any], "DataclassSchema"]] = {}
_ABOUT: Final = "about"
_STRICT: Final = "__strict__"


@dataclass(frozen=True)
class About:
    """Facts about a field besides its type and default.

    ``env`` is its environment variable and ``key`` its JSON key where that has another name.
    ``above`` and ``below`` are bounds that are not part of the range. ``shortest`` and ``longest``
    bound the length of a text or list, ``pattern`` each text in it. ``check`` returns what is wrong
    with a value, or nothing. ``derive`` returns the default where that depends on other fields.
    ``strict`` refuses a text as a number, as strict classes always do. A whole number in a
    variable counts ``scale`` times; ``parse`` makes a value of a variable that has a form of its
    own, or raises ``ValueError``. ``given`` are values of a group that no variable has, or
    functions of what was read before it.
    """

    help: str = ""
    env: str = ""
    key: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    shortest: int | None = None
    longest: int | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    check: Callable[[Any], str | None] | None = None
    derive: Callable[[Mapping[str, Any]], Any] | None = None
    strict: bool = False
    scale: int = 1
    parse: Callable[[str], Any] | None = None
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def about(help: str = "", env: str = "", **more: Any) -> dict[str, About]:
    """Return the ``metadata`` of a dataclass field that has no default; see ``About``."""
    return {_ABOUT: About(help, env, **more)}


def declared(
    default: Any, help: str = "", env: str = "", *, secret: bool = False, **more: Any
) -> Any:
    """Return a dataclass field with a default, which a function or class makes; see ``About``."""
    metadata = about(help, env, **more)
    if callable(default):
        return field(default_factory=default, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def about_of(declaration: dataclasses.Field[Any]) -> About:
    """Return the facts that a field declares about itself."""
    about_: About = declaration.metadata.get(_ABOUT) or About()
    return about_


@dataclass(frozen=True)
class _Strictness:
    rules: tuple[Rule, ...] = ()
    name: str = ""


def strict(*rules: Rule, name: str = "") -> Callable[[type[T]], type[T]]:
    """Make documents of a dataclass strict: unknown keys are refused, and no text is a number.

    ``rules`` judge several fields together; ``name`` is what OpenAPI calls it.
    """

    def mark(cls: type[T]) -> type[T]:
        setattr(cls, _STRICT, _Strictness(rules, name))
        return cls

    return mark


def load(cls: type[T], document: Any) -> T:
    """Return what ``document`` says; raise marshmallow's ``ValidationError``."""
    value: T = _schema(cls).load(document)
    return value


def dump(value: Any) -> dict[str, Any]:
    """Return ``value``, an instance of a declared class, as a JSON-compatible dict."""
    document: dict[str, Any] = _schema(type(value)).dump(value)
    return document


class DataclassSchema(Schema):
    """A schema that drops unknown keys, so that a newer sender can talk to an older receiver."""

    class Meta:
        """marshmallow's options."""

        unknown = EXCLUDE

    builds: ClassVar[type[Any]]
    derived: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Any]]]

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        """Return the dataclass of the validated ``data``."""
        for name, derive in self.derived.items():
            if data[name] is None:
                data[name] = derive(data)
        return self.builds(**data)


class StrictSchema(DataclassSchema):
    """A schema that refuses unknown keys by name, with the nearest known one."""

    error_messages = {"type": "Must be a JSON object."}  # noqa: RUF012  as marshmallow has it
    rules: ClassVar[tuple[Rule, ...]]

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def refuse_unknown_keys(self, _data: Any, original: Any, **_: Any) -> None:
        """Report every key that no field has."""
        if not isinstance(original, dict):
            return
        keys = sorted(inner.data_key or name for name, inner in self.fields.items())
        problems = {str(key): [_unknown(str(key), keys)] for key in original if key not in keys}
        if problems:
            raise ValidationError(problems)

    @validates_schema
    def check_rules(self, data: Any, **_: Any) -> None:
        """Report what does not go together."""
        problems: Any = {}
        for rule in self.rules:
            for name, problem in rule(data):
                texts = [problem] if isinstance(problem, str) else problem
                problems = merge_errors(problems, {name: texts})  # type: ignore[no-untyped-call]
        if problems:
            raise ValidationError(problems)


def _unknown(key: str, keys: list[str]) -> str:
    near = difflib.get_close_matches(key, keys, n=1)
    if near:
        return f"Unknown key. Did you mean '{near[0]}'?"
    return f"Unknown key. Known: {', '.join(keys)}."


class TupleOf(fields.List[Any]):
    """A JSON list that is a tuple inside, as frozen dataclasses want it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **kwargs))


def schema_of(cls: type[Any]) -> type[DataclassSchema]:
    """Return the schema class of a declared dataclass, always the same one."""
    if cls not in _SCHEMAS:
        _SCHEMAS[cls] = _new_schema(cls)
    return _SCHEMAS[cls]


def _new_schema(cls: type[Any]) -> type[DataclassSchema]:
    strictness: _Strictness | None = vars(cls).get(_STRICT)
    types_of = typing.get_type_hints(cls)
    declarations = {field_.name: field_ for field_ in dataclasses.fields(cls)}
    attributes: dict[str, Any] = {
        name: field_of(types_of[name], declaration, is_strict=strictness is not None)
        for name, declaration in declarations.items()
    }
    attributes["builds"] = cls
    attributes["derived"] = {
        name: derive for name, item in declarations.items() if (derive := about_of(item).derive)
    }
    attributes["__doc__"] = cls.__doc__
    name = f"{(strictness and strictness.name) or cls.__name__}Schema"
    if strictness is None:
        return type(name, (DataclassSchema,), attributes)
    return type(name, (StrictSchema,), {**attributes, "rules": strictness.rules})


def _schema(cls: type[Any]) -> DataclassSchema:
    if cls not in _INSTANCES:
        _INSTANCES[cls] = schema_of(cls)()
    return _INSTANCES[cls]


_PLAIN: Final[dict[Any, Callable[..., fields.Field[Any]]]] = {
    Any: fields.Raw,
    str: fields.String,
    float: fields.Float,
    bool: fields.Boolean,
    datetime: partial(fields.AwareDateTime, format="iso"),
}


def field_of(
    hint: Any, declaration: dataclasses.Field[Any], *, is_strict: bool = False, **more: Any
) -> fields.Field[Any]:
    """Return the marshmallow field of a dataclass field of type ``hint``."""
    facts = about_of(declaration)
    options: dict[str, Any] = {"data_key": facts.key, "validate": _validators(facts, hint), **more}
    if facts.help:
        options["metadata"] = {"description": facts.help}
    plain = without_none(hint)
    if plain is not hint:
        options["allow_none"] = True
    options.update(_presence(declaration, facts, is_optional=plain is not hint))
    return _typed(plain, facts, is_strict=is_strict or facts.strict, **options)


def _presence(
    declaration: dataclasses.Field[Any], facts: About, *, is_optional: bool
) -> dict[str, Any]:
    """Return whether a key may be missing, and what it then is."""
    if facts.derive:
        return {"load_default": None, "allow_none": True}
    if declaration.default_factory is not MISSING:
        return {"load_default": declaration.default_factory}
    if declaration.default is MISSING:
        return {"load_default": None} if is_optional else {"required": True}
    default = declaration.default
    # A function, because apispec would show all that is in a dataclass.
    return {"load_default": (lambda: default) if dataclasses.is_dataclass(default) else default}


def without_none(hint: Any) -> Any:
    """Return ``X`` for ``X | None``, and any other type as it is."""
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        (hint,) = (inner for inner in typing.get_args(hint) if inner is not types.NoneType)
    return hint


def _typed(hint: Any, facts: About, *, is_strict: bool, **options: Any) -> fields.Field[Any]:
    origin = typing.get_origin(hint)
    if origin is tuple:
        inner = _typed(
            typing.get_args(hint)[0], facts, is_strict=is_strict, validate=_of_items(facts)
        )
        return TupleOf(inner, **options)
    if origin is not None:
        key, value = (_typed_or_none(inner, facts) for inner in typing.get_args(hint))
        return fields.Dict(keys=key, values=value, **options)
    if dataclasses.is_dataclass(hint):
        return fields.Nested(schema_of(typing.cast("type[Any]", hint)), **options)
    if isinstance(hint, EnumType):
        return fields.Enum(hint, by_value=True, **options)
    if hint is int:
        return fields.Integer(strict=is_strict, **options)
    return _PLAIN[hint](**options)


def _typed_or_none(hint: Any, facts: About) -> fields.Field[Any] | None:
    return None if hint is Any else _typed(hint, facts, is_strict=False)


def _validators(facts: About, hint: Any) -> list[Any]:
    validators: list[Any] = []
    low = facts.minimum if facts.above is None else facts.above
    high = facts.maximum if facts.below is None else facts.below
    if low is not None or high is not None:
        is_open = (facts.above is not None, facts.below is not None)
        validators.append(
            validate.Range(low, high, min_inclusive=not is_open[0], max_inclusive=not is_open[1])
        )
    if facts.shortest is not None or facts.longest is not None:
        validators.append(validate.Length(facts.shortest, facts.longest))
    if facts.check:
        validators.append(_Check(facts.check))
    return validators if typing.get_origin(hint) is tuple else validators + _of_items(facts)


def _of_items(facts: About) -> list[Any]:
    patterns = [validate.Regexp(facts.pattern)] if facts.pattern else []
    return [*patterns, *([validate.OneOf(facts.choices)] if facts.choices else [])]


@dataclass(frozen=True)
class _Check:
    problem_of: Callable[[Any], str | None]

    def __call__(self, value: Any) -> None:
        if problem := self.problem_of(value):
            raise ValidationError(problem)
