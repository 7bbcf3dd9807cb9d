"""An SLA key for learners takes three declarations: in the SLA, in the order, and between them."""

from dataclasses import dataclass, field

import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import ValidationError

from flops_contracts.declared import declared, dump, load, schema_of, strict
from flops_contracts.orders import LearnOrder
from flops_contracts.sla import ProjectSla
from flops_runtime.environment import documented, read, write

HELP = "Rows that a learner trains on at once."


@strict(name="ProjectSla")
@dataclass(frozen=True, kw_only=True)
class NextSla(ProjectSla):
    """The SLA with one more key: the first declaration."""

    batch_rows: int = declared(32, HELP, minimum=1, maximum=4096)


@dataclass(frozen=True, kw_only=True)
class NextOrder(LearnOrder):
    """The learner's order with one more variable: the second declaration."""

    batch_rows: int = declared(32, HELP, "FLOPS_BATCH_ROWS", minimum=1)


def order_from(sla: NextSla) -> NextOrder:
    """Return the order of a learner: the third declaration, as in the manager."""
    return NextOrder(aggregator_address="a:8080", batch_rows=sla.batch_rows)


@dataclass(frozen=True)
class Stored:
    """The part of a project's document that holds it."""

    sla: NextSla = field()


DOCUMENT = {
    "customerID": "Admin",
    "ml_repo_url": "https://host/repo",
    "ml_model_flavor": "sklearn",
    "batch_rows": 64,
}


def test_the_key_of_the_sla_reaches_the_learner():
    sla = load(NextSla, DOCUMENT)

    variables = write(order_from(sla))

    assert variables["FLOPS_BATCH_ROWS"] == "64"
    assert read(NextOrder, variables).batch_rows == 64


def test_it_is_checked_like_all_others():
    with pytest.raises(ValidationError) as caught:
        load(NextSla, {**DOCUMENT, "batch_rows": 0})

    assert set(caught.value.messages) == {"batch_rows"}


def test_it_is_stored_with_the_project():
    stored = Stored(load(NextSla, DOCUMENT))

    assert load(Stored, dump(stored)) == stored


def test_it_is_in_the_reference_and_in_openapi():
    spec = APISpec("", "", "3.0.3", plugins=[MarshmallowPlugin()])
    spec.components.schema("ProjectSla", schema=schema_of(NextSla))

    properties = spec.to_dict()["components"]["schemas"]["ProjectSla"]["properties"]

    assert properties["batch_rows"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 4096,
        "default": 32,
        "description": HELP,
    }


def test_it_is_among_the_settings_of_the_learner():
    (setting,) = (item for item in documented(NextOrder) if item.name == "FLOPS_BATCH_ROWS")

    assert (setting.kind, setting.default, setting.help) == ("whole number", "32", HELP)
