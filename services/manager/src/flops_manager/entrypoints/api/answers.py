"""The answers of the API, made from what the use cases return."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from flops_contracts.api import answers
from flops_contracts.log_lines import LoggedLine
from flops_manager.domain import nodes
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project
from flops_manager.ports.stores import StoredEvent
from flops_manager.usecases.kept_logs import LogPage

T = TypeVar("T")


def project_answer(project: Project) -> answers.ProjectAnswer:
    """Return the answer with one project."""
    rounds = [
        _like(answers.ClusterRound, below.completed, cluster=below.cluster)
        for below in project.cluster_rounds
    ]
    state = _like(
        answers.Project,
        project,
        owner=project.customer_id,
        stage_entered_at=project.entered_at,
        stages=project.stage_history,
        actors=project.services,
        cluster_rounds=tuple(rounds),
        failure=project.error,
    )
    return answers.ProjectAnswer(f"Project {project.id}: {project.stage}.", state)


def summary_of(project: Project) -> answers.ProjectSummary:
    """Return the project as it is listed."""
    return _like(
        answers.ProjectSummary,
        project,
        owner=project.customer_id,
        repository=project.sla.ml_repo_url,
        ml_model_flavor=project.sla.ml_model_flavor,
        rounds_completed=project.completed_rounds,
        rounds=project.expected_rounds,
        reason=project.error.reason if project.error else "",
    )


def state_of(mock: Mock) -> answers.Mock:
    """Return the full state of a mock data provider."""
    return _like(answers.Mock, mock, owner=mock.customer_id, failure=mock.error)


def node_answer(node: nodes.Node, data: Mapping[str, answers.TagStats] | None) -> answers.Node:
    """Return a node with the data on it; None means that its data server did not answer."""
    addons = tuple(sorted(node.addons))
    return _like(answers.Node, node, addons=addons, is_answering=data is not None, data=data or {})


def lines_answer(page: LogPage) -> answers.LogLinesAnswer:
    """Return the answer with lines of logs."""
    lines = [
        answers.KeptLine(
            seq=stored.seq,
            left_out=stored.left_out,
            **vars(stored.actor),
            **vars(_like(LoggedLine, stored.line)),
        )
        for stored in page.lines
    ]
    return answers.LogLinesAnswer(f"{len(lines)} lines.", tuple(lines), page.last_seq)


def numbered(event: StoredEvent) -> dict[str, Any]:
    """Return the stored document of an event as it is answered."""
    document = {"seq": event.seq, **event.document}
    document.pop("trace", None)
    return document


def _like(cls: type[T], source: object, **given: Any) -> T:
    """Return a ``cls`` with the values of ``source`` that have the same names, and those given."""
    names = {field.name for field in fields(cls)} - set(given)  # type: ignore[arg-type]
    return cls(**{name: getattr(source, name) for name in names}, **given)
