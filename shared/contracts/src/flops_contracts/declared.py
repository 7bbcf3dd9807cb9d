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
    post_dump,
    post_load,
    pre_load,
    validate,
    validates_schema,
)
from marshmallow.error_store import merge_errors

T = TypeVar("T")
Rule = Callable[[Mapping[str, Any]], Iterator[tuple[str, Any]]]
"""Yields names of fields and what is wrong with them, from the values of all fields."""

_INSTANCES: Final[dict[tuple[type[Any], bool], "DataclassSchema"]] = {}
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
    functions of what was read before it. A document lacks a ``sparse`` field while that is empty.
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
    sparse: bool = False


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
    reads_text: bool = False


def strict(*rules: Rule, name: str = "", reads_text: bool = False) -> Callable[[type[T]], type[T]]:
    """Make documents of a dataclass strict: unknown keys are refused, and no text is a number.

    ``rules`` judge several fields together; ``name`` is what OpenAPI calls it. With ``reads_text``
    a text may be a number even so: a URL's query has nothing else.
    """

    def mark(cls: type[T]) -> type[T]:
        setattr(cls, _STRICT, _Strictness(rules, name, reads_text))
        return cls

    return mark


def load(cls: type[T], document: Any) -> T:
    """Return what ``document`` says; raise marshmallow's ``ValidationError``."""
    value: T = _schema(cls).load(document)
    return value


def load_tolerantly(cls: type[T], document: Any) -> T:
    """Return what another version of FLOps wrote: a reader of answers does not judge them.

    Ranges and rules do not count, a word that only newer versions have stays a text, and what is
    missing or null is empty. Raises ``ValidationError`` if that leaves no value of ``cls``.
    """
    value: T = _schema(cls, is_tolerant=True).load(document)
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
    sparse: ClassVar[frozenset[str]]
    derived: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Any]]]

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        """Return the dataclass of the validated ``data``."""
        for name, derive in self.derived.items():
            if data[name] is None:
                data[name] = derive(data)
        return self.builds(**data)

    @post_dump
    def leave_out(self, document: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Remove sparse fields that are empty."""
        for key in self.sparse:
            if document[key] in (None, ""):
                del document[key]
        return document


class TolerantSchema(DataclassSchema):
    """A schema for documents that another version wrote; see ``load_tolerantly``."""

    @pre_load
    def drop_nulls(self, document: Any, **_: Any) -> Any:
        """Treat null as a missing key."""
        if not isinstance(document, dict):
            return document
        return {key: value for key, value in document.items() if value is not None}


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


class OpenEnum(fields.Enum[Any]):
    """A word, also one that only newer versions have."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, *args, **kwargs)
        except ValidationError:
            return str(value)


def schema_of(cls: type[Any], *, is_tolerant: bool = False) -> type[DataclassSchema]:
    """Return the schema class of a declared dataclass, always the same one."""
    return type(_schema(cls, is_tolerant=is_tolerant))


def _schema(cls: type[Any], *, is_tolerant: bool = False) -> DataclassSchema:
    key = (cls, is_tolerant)
    if key not in _INSTANCES:
        _INSTANCES[key] = _new_schema(cls, is_tolerant=is_tolerant)()
    return _INSTANCES[key]


def _new_schema(cls: type[Any], *, is_tolerant: bool) -> type[DataclassSchema]:
    strictness: _Strictness | None = None if is_tolerant else vars(cls).get(_STRICT)
    is_strict = strictness is not None and not strictness.reads_text
    types_of = typing.get_type_hints(cls)
    declarations = {field_.name: field_ for field_ in dataclasses.fields(cls)}
    facts = {name: about_of(declaration) for name, declaration in declarations.items()}
    attributes: dict[str, Any] = {
        name: field_of(types_of[name], declaration, is_strict=is_strict, is_tolerant=is_tolerant)
        for name, declaration in declarations.items()
    }
    attributes["builds"] = cls
    attributes["derived"] = {name: each.derive for name, each in facts.items() if each.derive}
    attributes["sparse"] = frozenset(
        each.key or name for name, each in facts.items() if each.sparse
    )
    attributes["__doc__"] = cls.__doc__
    name = f"{(strictness and strictness.name) or cls.__name__}Schema"
    if strictness is None:
        return type(name, (TolerantSchema if is_tolerant else DataclassSchema,), attributes)
    return type(name, (StrictSchema,), {**attributes, "rules": strictness.rules})


_PLAIN: Final[dict[Any, Callable[..., fields.Field[Any]]]] = {
    Any: fields.Raw,
    str: fields.String,
    float: fields.Float,
    bool: fields.Boolean,
    datetime: partial(fields.AwareDateTime, format="iso"),
}
_EMPTY: Final[dict[Any, Callable[[], Any]]] = {
    **{kind: kind for kind in (str, int, float, bool, tuple)},
    Mapping: dict,
}


def field_of(
    hint: Any,
    declaration: dataclasses.Field[Any],
    *,
    is_strict: bool = False,
    is_tolerant: bool = False,
) -> fields.Field[Any]:
    """Return the marshmallow field of a dataclass field of type ``hint``."""
    facts = about_of(declaration)
    if is_tolerant:
        facts = About(key=facts.key, derive=facts.derive)
    plain = without_none(hint)
    options: dict[str, Any] = {"data_key": facts.key, "validate": _validators(facts, hint)}
    if facts.help:
        options["metadata"] = {"description": facts.help}
    if plain is not hint:
        options["allow_none"] = not facts.sparse
    options.update(_presence(declaration, facts, is_optional=plain is not hint))
    empty = _EMPTY.get(typing.get_origin(plain) or plain)
    if is_tolerant and empty and options.pop("required", False):
        options["load_default"] = empty
    build = _Builder(is_strict=is_strict or facts.strict, is_tolerant=is_tolerant)
    return build.field(plain, facts, **options)


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
    if facts.sparse:
        return {"load_default": lambda: default}
    # A function, because apispec would show all that is in a dataclass.
    return {"load_default": (lambda: default) if dataclasses.is_dataclass(default) else default}


def without_none(hint: Any) -> Any:
    """Return ``X`` for ``X | None``, and any other type as it is."""
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        (hint,) = (inner for inner in typing.get_args(hint) if inner is not types.NoneType)
    return hint


@dataclass(frozen=True)
class _Builder:
    """Makes fields of one schema."""

    is_strict: bool
    is_tolerant: bool

    def field(self, hint: Any, facts: About, **options: Any) -> fields.Field[Any]:
        """Return the field for a type."""
        origin = typing.get_origin(hint)
        if origin is tuple:
            inner = self.field(typing.get_args(hint)[0], facts, validate=_of_items(facts))
            return TupleOf(inner, **options)
        if origin is not None:
            key, value = (self._part(inner, facts) for inner in typing.get_args(hint))
            return fields.Dict(keys=key, values=value, **options)
        if dataclasses.is_dataclass(hint):
            nested = schema_of(typing.cast("type[Any]", hint), is_tolerant=self.is_tolerant)
            return fields.Nested(nested, **options)
        if isinstance(hint, EnumType):
            kind = OpenEnum if self.is_tolerant else fields.Enum
            return kind(hint, by_value=True, **options)
        if hint is int:
            return fields.Integer(strict=self.is_strict, **options)
        return _PLAIN[hint](**options)

    def _part(self, hint: Any, facts: About) -> fields.Field[Any] | None:
        # Keys of a JSON object are texts, whatever they mean.
        loose = dataclasses.replace(self, is_strict=False)
        return None if hint is Any else loose.field(hint, facts)


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
