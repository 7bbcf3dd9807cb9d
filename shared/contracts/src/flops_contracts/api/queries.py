"""The query parameters of each kind of request.

Unknown names are refused: ``dryrun`` must not create anything.
"""

from dataclasses import dataclass
from typing import Any

from flops_contracts.declared import declared, dump, strict
from flops_contracts.log_lines import LEVELS
from flops_contracts.roles import MockStage, Stage


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class Query:
    """For every endpoint."""

    customer_id: str = declared(
        "", "Must be the token's user, unless that is an Admin.", key="customerID", longest=100
    )


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class SubmitQuery(Query):
    """For submitting."""

    dry_run: bool = declared(False, "Check everything, create nothing.")


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class DeleteQuery(Query):
    """For deleting a project."""

    mlflow: bool = declared(False, "Delete its experiment and its model in MLflow, too.")


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class PageQuery(Query):
    """For lists."""

    page: int = declared(1, minimum=1, maximum=1_000_000)
    page_size: int = declared(20, minimum=1, maximum=100)


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class ProjectsQuery(PageQuery):
    """For the list of projects."""

    stage: Stage | None = None


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class MocksQuery(PageQuery):
    """For the list of mock data providers."""

    stage: MockStage | None = None


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class EventsQuery(Query):
    """For the history of a project."""

    after: int = declared(0, "Only events after the one with this `seq`.", minimum=0, maximum=2**53)
    limit: int = declared(500, minimum=1, maximum=1000)


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class LogsQuery(Query):
    """For the logs of a project."""

    actor: str = declared("", "Only this actor: an `instance`, or a role.", longest=100)


@strict(reads_text=True)
@dataclass(frozen=True, kw_only=True)
class LogQuery(LogsQuery):
    """For the lines of a project's logs; all filters hold."""

    after: int | None = declared(
        None,
        "Lines after an answer's `last_seq`; without it the last lines.",
        minimum=0,
        maximum=2**53,
    )
    limit: int = declared(200, minimum=1, maximum=1000)
    node: str = declared("", longest=200)
    level: str = declared("", "Show this level and above.", choices=("", *LEVELS))
    round: int | None = declared(None, minimum=0)
    text: str = declared(
        "", "Text in the message or the logger's name; case does not matter.", longest=200
    )


@dataclass(frozen=True)
class Customer:
    """A body that names the customer; other keys are ignored, as clients may send more."""

    customer_id: str = declared("", key="customerID")


def parameters(query: Query) -> dict[str, Any]:
    """Return what a client sends: no defaults, because an older manager may not know the name."""
    defaults = dump(type(query)())
    changed = {name: value for name, value in dump(query).items() if value != defaults[name]}
    return {name: "true" if value is True else value for name, value in changed.items()}
