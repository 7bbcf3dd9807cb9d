"""A field is declared once, and its document, ranges and description follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

import pytest
from marshmallow import ValidationError

from flops_contracts.declared import (
    about,
    declared,
    dump,
    load,
    load_tolerantly,
    schema_of,
    strict,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Part:
    name: str
    rows: int = field(metadata=about("How many rows.", minimum=0))


def _lighter(data):
    if data["weight"] == 13:
        yield "weight", "13 is unlucky."


@strict(_lighter, name="Thing")
@dataclass(frozen=True)
class Whole:
    name: str = field(metadata=about(key="theName", shortest=1))
    weight: int = declared(1, "Weight in kg.", minimum=1)
    share: float = declared(0.5, above=0, below=1)
    colours: tuple[Colour, ...] = (Colour.RED,)
    tags: tuple[str, ...] = declared((), pattern=r"^[a-z]+\Z")
    part: Part | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    at: datetime | None = None
    size: int = declared(2, derive=lambda data: data["weight"] * 2)


def problems_of(document):
    with pytest.raises(ValidationError) as caught:
        load(Whole, document)
    return caught.value.messages


def test_a_value_survives_the_way_into_a_document_and_back():
    whole = Whole(
        "a", 3, 0.25, (Colour.BLUE,), ("b",), Part("p", 7), {"x": 1}, datetime.now(UTC), 9
    )

    assert load(Whole, dump(whole)) == whole


def test_a_document_has_the_names_of_the_wire():
    document = dump(Whole("a", part=Part("p", 7)))

    assert document["theName"] == "a"
    assert (document["colours"], document["part"]) == (["red"], {"name": "p", "rows": 7})


def test_missing_keys_have_their_defaults():
    assert load(Whole, {"theName": "a"}) == Whole("a", size=2)
    assert load(Whole, {"theName": "a", "weight": 4}).size == 8


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({}, "theName"),
        ({"theName": ""}, "theName"),
        ({"theName": "a", "weight": 0}, "weight"),
        ({"theName": "a", "weight": "3"}, "weight"),
        ({"theName": "a", "weight": 13}, "weight"),
        ({"theName": "a", "share": 1}, "share"),
        ({"theName": "a", "colours": ["green"]}, "colours"),
        ({"theName": "a", "tags": ["a", "B"]}, "tags"),
        ({"theName": "a", "part": {"name": "p", "rows": -1}}, "part"),
        ({"theName": "a", "wieght": 3}, "wieght"),
    ],
)
def test_what_does_not_fit_the_declaration_is_refused_by_its_key(document, key):
    assert set(problems_of(document)) == {key}


def test_an_ordinary_class_ignores_what_it_does_not_know():
    assert load(Part, {"name": "p", "rows": 1, "from_the_future": 2}) == Part("p", 1)


def test_the_schema_says_what_a_field_means():
    schema = schema_of(Whole)

    assert schema.__name__ == "ThingSchema"
    assert schema().fields["weight"].metadata == {"description": "Weight in kg."}
    assert schema_of(Whole) is schema


@strict(reads_text=True)
@dataclass(frozen=True)
class Question:
    page: int = declared(1, minimum=1)
    colour: Colour | None = None


def test_a_query_may_have_texts_as_numbers():
    assert load(Question, {"page": "2"}) == Question(2)


@pytest.mark.parametrize("query", [{"pgae": "2"}, {"page": "0"}, {"page": "two"}])
def test_a_query_is_strict_otherwise(query):
    with pytest.raises(ValidationError):
        load(Question, query)


@dataclass(frozen=True)
class Answer:
    part: Part
    inner: Question
    colour: Colour
    names: tuple[str, ...]
    counts: Mapping[str, int]
    at: datetime | None
    why: str | None = declared(None, "Why.", sparse=True)


def test_an_answer_of_an_older_or_newer_version_is_read_as_far_as_it_goes():
    part = {"name": None, "rows": -1}
    document = {"part": part, "inner": {"page": 0, "new": 1}, "colour": "green", "also_new": 2}

    answer = load_tolerantly(Answer, document)

    assert answer == Answer(Part("", -1), Question(0), "green", (), {}, None)


@pytest.mark.parametrize("document", [{}, {"part": {}, "inner": {}}, [], None])
def test_an_answer_must_have_what_has_no_empty_value(document):
    with pytest.raises(ValidationError):
        load_tolerantly(Answer, document)


def test_a_sparse_field_is_absent_while_it_is_empty():
    answer = Answer(Part("p", 1), Question(), Colour.RED, (), {}, None)

    assert set(dump(answer)) == {"part", "inner", "colour", "names", "counts", "at"}
    assert dump(replace(answer, why="so"))["why"] == "so"
