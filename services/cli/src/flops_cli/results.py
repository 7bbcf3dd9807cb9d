"""The manager's answers as values; ``document`` is the JSON that each was read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

from marshmallow import ValidationError

from flops_cli.errors import UnreachableError
from flops_contracts.api import answers
from flops_contracts.declared import load_tolerantly
from flops_contracts.envelope import event_from_document
from flops_contracts.events import Event
from flops_contracts.ports import OBSERVER_PORT
from flops_contracts.roles import MockStage, Role, Stage

Document = Mapping[str, Any]
T = TypeVar("T")


def read(kind: type[T], document: Document) -> T:
    """Return an answer of a manager of any version; raise ``UnreachableError``."""
    try:
        return load_tolerantly(kind, document)
    except ValidationError as error:
        raise UnreachableError(
            f"the manager's answer cannot be read as {kind.__name__}: {error.messages}",
            hint="Use a `flops` of the manager's version.",
        ) from error


@dataclass(frozen=True, kw_only=True)
class _Result:
    """An answer that remembers what it was read from."""

    document: Document = field(default_factory=dict, repr=False)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Read what the manager answers; raise ``UnreachableError``."""
        return replace(read(cls, document), document=document)


class _Subject:
    """A project or mock."""

    stage: Stage | MockStage

    @property
    def is_over(self) -> bool:
        """Return whether its stage is final; a stage that only newer managers know is not."""
        return bool(getattr(self.stage, "is_final", False))


@dataclass(frozen=True, kw_only=True)
class ProjectSummary(answers.ProjectSummary, _Result):
    """A project in a list; ``reason`` is empty unless it failed."""


@dataclass(frozen=True, kw_only=True)
class Project(answers.Project, _Result, _Subject):
    """The state of a project.

    In hierarchical mode ``rounds`` are its cycles, and ``cluster_rounds`` lie in them.
    """

    @property
    def model_url(self) -> str:
        """Where its model is served; empty if it is not."""
        return _url(self.model_address)

    @property
    def story_url(self) -> str:
        """Where its observer tells its story; empty unless that runs."""
        for actor in self.actors:
            is_running = actor.role is Role.OBSERVER and actor.status == "RUNNING"
            if is_running and actor.public_address:
                return f"http://{actor.public_address}:{actor.port or OBSERVER_PORT}"
        return ""


@dataclass(frozen=True, kw_only=True)
class Mock(answers.Mock, _Result, _Subject):
    """The state of a mock data provider; ``fragments`` are what it stored."""


@dataclass(frozen=True, kw_only=True)
class Model(answers.Model, _Result):
    """A trained model; its id is the project's."""

    @property
    def url(self) -> str:
        """Where it is served; empty if it is not."""
        return _url(self.address)


@dataclass(frozen=True)
class NumberedEvent:
    """One event of a project's history; ``seq`` counts from 1."""

    seq: int
    event: Event

    @classmethod
    def from_document(cls, document: Document) -> "NumberedEvent":
        """Read one event as the API gives it; raise ``MalformedMessageError``."""
        return cls(int(document.get("seq", 0)), event_from_document(document))


def _url(address: str) -> str:
    """Return where a model is served as a URL, whether or not the manager wrote the scheme."""
    return f"http://{address}" if address and "://" not in address else address
