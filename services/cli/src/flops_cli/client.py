"""The Python client of the manager, for programs and notebooks.

    from flops_cli.client import FlopsClient

    with FlopsClient.logged_in(api_url, oakestra_url, user, password) as flops:
        project_id = flops.submit_project(sla)
        for numbered in flops.follow(project_id):
            print(numbered.seq, numbered.event.kind, numbered.event.payload)

Every failure is a ``ClientError``, with the manager's reason and hint.
"""

import json
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote

import requests

from flops_cli.connection import Connection
from flops_cli.credentials import PasswordTokens, RootLogin, TokenSource
from flops_cli.errors import UnreachableError
from flops_cli.results import Mock, Model, NumberedEvent, Project, ProjectSummary, read
from flops_contracts.api.answers import Finding, TrackingAnswer
from flops_contracts.api.queries import (
    EventsQuery,
    LogQuery,
    LogsQuery,
    PageQuery,
    Query,
    SubmitQuery,
    parameters,
)
from flops_contracts.envelope import MalformedMessageError
from flops_contracts.events import Event, Kind
from flops_contracts.roles import Stage

logger = logging.getLogger(__name__)

PROJECTS = "/api/flops/projects"
MOCKS = "/api/flops/mocks"
MODELS = "/api/flops/models"

SILENCE_SECONDS = 45.0
"""The manager sends something every 15 seconds; a stream silent for this long is dead."""

EMPTY_STREAMS = 5
"""How many streams in a row may end without an event while the project still runs."""

Sla = Mapping[str, Any]


class FlopsClient:
    """The manager's API for the user that ``tokens`` belong to."""

    def __init__(self, api_url: str, tokens: TokenSource, first_wait_seconds: float = 0.5) -> None:
        self._connection = Connection(api_url, tokens, first_wait_seconds)

    @classmethod
    def logged_in(cls, api_url: str, oakestra_url: str, user: str, password: str) -> Self:
        """Return a client that logs in by password when it needs a token."""
        return cls(api_url, PasswordTokens(RootLogin(oakestra_url), user, password))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._connection.close()

    def submit_project(self, sla: Sla, idempotency_key: str = "") -> str:
        """Start a project and return its id; repeating the key returns the same project."""
        return str(self._submit(PROJECTS, sla, idempotency_key)["project_id"])

    def check_project(self, sla: Sla) -> tuple[Finding, ...]:
        """Check an SLA against the cluster without starting anything (dry run)."""
        query = parameters(SubmitQuery(dry_run=True))
        answer = self._connection.ask("POST", PROJECTS, query=query, body=dict(sla))
        return tuple(read(Finding, finding) for finding in answer.get("findings") or ())

    def projects(self, stage: str = "", page: int = 1) -> tuple[ProjectSummary, ...]:
        """Return a page of projects, newest first."""
        query = {**parameters(PageQuery(page=page)), "stage": stage}
        answer = self._connection.ask("GET", PROJECTS, query=query)
        return tuple(ProjectSummary.from_document(project) for project in answer["projects"])

    def project(self, project_id: str) -> Project:
        """Return the state of a project."""
        answer = self._connection.ask("GET", f"{PROJECTS}/{_segment(project_id)}")
        return Project.from_document(answer["project"])

    def cancel_project(self, project_id: str) -> str:
        """Stop a project; return the manager's message."""
        path = f"{PROJECTS}/{_segment(project_id)}/cancel"
        return str(self._connection.ask("POST", path)["message"])

    def retry_project(self, project_id: str) -> str:
        """Start a failed or cancelled project again; return the manager's message."""
        path = f"{PROJECTS}/{_segment(project_id)}/retry"
        return str(self._connection.ask("POST", path)["message"])

    def delete_project(self, project_id: str) -> str:
        """Delete a project and stop its served model; return the manager's message."""
        path = f"{PROJECTS}/{_segment(project_id)}"
        return str(self._connection.ask("DELETE", path)["message"])

    def events(self, project_id: str, after: int = 0) -> tuple[NumberedEvent, ...]:
        """Return the next batch of events after event number ``after``."""
        path = f"{PROJECTS}/{_segment(project_id)}/events"
        query = parameters(EventsQuery(after=after))
        answer = self._connection.ask("GET", path, query=query)
        return tuple(_readable(answer["events"]))

    def follow(self, project_id: str, after: int = 0) -> Iterator[NumberedEvent]:
        """Yield events as they happen, until the project is in a final stage.

        Interrupted streams are resumed; raises ``UnreachableError`` if they bring no more events.
        """
        empty_streams = 0
        while empty_streams < EMPTY_STREAMS:
            last = after
            for event in self._stream(project_id, after):
                yield event
                after = event.seq
                # A retried project may have left this final stage already.
                if _ends(event.event) and self.project(project_id).is_over:
                    return
            if self.project(project_id).is_over and not self.events(project_id, after):
                return
            empty_streams = 0 if after > last else empty_streams + 1
        raise UnreachableError(
            f"the event stream of project {project_id} keeps closing before the project ends"
        )

    def logs(self, project_id: str, actor: str = "") -> tuple[Mapping[str, Any], ...]:
        """Return the last lines of each service of a project."""
        path = f"{PROJECTS}/{_segment(project_id)}/logs"
        query = parameters(LogsQuery(actor=actor))
        return tuple(self._connection.ask("GET", path, query=query)["logs"])

    def log_lines(self, project_id: str, **query: Any) -> tuple[tuple[Mapping[str, Any], ...], int]:
        """Return lines that a project's actors logged, and the ``after`` to ask for more with.

        ``query`` may have the fields of ``LogQuery``.
        """
        path = f"{PROJECTS}/{_segment(project_id)}/logs/lines"
        answer = self._connection.ask("GET", path, query=parameters(LogQuery(**query)))
        return tuple(answer["lines"]), int(answer["last_seq"])

    def submit_mock(self, sla: Sla, idempotency_key: str = "") -> str:
        """Start a mock data provider and return its id."""
        return str(self._submit(MOCKS, sla, idempotency_key)["mock_id"])

    def mocks(self, stage: str = "", page: int = 1) -> tuple[Mock, ...]:
        """Return a page of mock data providers, newest first."""
        query = {**parameters(PageQuery(page=page)), "stage": stage}
        answer = self._connection.ask("GET", MOCKS, query=query)
        return tuple(Mock.from_document(mock) for mock in answer["mocks"])

    def mock(self, mock_id: str) -> Mock:
        """Return the state of a mock data provider."""
        answer = self._connection.ask("GET", f"{MOCKS}/{_segment(mock_id)}")
        return Mock.from_document(answer["mock"])

    def delete_mock(self, mock_id: str) -> str:
        """Delete a mock data provider; the data that it stored stay."""
        return str(self._connection.ask("DELETE", f"{MOCKS}/{_segment(mock_id)}")["message"])

    def models(self, page: int = 1) -> tuple[Model, ...]:
        """Return a page of trained models, newest first."""
        answer = self._connection.ask("GET", MODELS, query=parameters(PageQuery(page=page)))
        return tuple(Model.from_document(model) for model in answer["models"])

    def model(self, project_id: str) -> Model:
        """Return the model that a project trained."""
        answer = self._connection.ask("GET", f"{MODELS}/{_segment(project_id)}")
        return Model.from_document(answer["model"])

    def tracking(self, customer: str = "") -> TrackingAnswer:
        """Return the address of the customer's MLflow, which is started if there is none."""
        query = parameters(Query(customer_id=customer))
        return read(TrackingAnswer, self._connection.ask("GET", "/api/flops/tracking", query=query))

    def reset_database(self) -> str:
        """Delete all projects and mocks of all customers (Admins only); return the message."""
        return str(self._connection.ask("DELETE", "/api/flops/database")["message"])

    def _submit(self, path: str, sla: Sla, idempotency_key: str) -> dict[str, Any]:
        # The key makes it safe to send a request again whose answer got lost.
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._connection.ask("POST", path, body=dict(sla), headers=headers)

    def _stream(self, project_id: str, after: int) -> Iterator[NumberedEvent]:
        path = f"{PROJECTS}/{_segment(project_id)}/events"
        response = self._connection.stream(path, after=after, silence_seconds=SILENCE_SECONDS)
        with response:
            try:
                yield from events_in(response.iter_lines(chunk_size=1, decode_unicode=True))
            except requests.RequestException:
                return  # the stream broke; `follow` opens the next one


def events_in(lines: Iterator[str]) -> Iterator[NumberedEvent]:
    """Yield the events of a stream of server-sent events; skip comments and unknown fields."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield from _readable([json.loads("\n".join(data))])
            data = []


def _readable(documents: Iterable[Mapping[str, Any]]) -> Iterator[NumberedEvent]:
    for document in documents:
        try:
            yield NumberedEvent.from_document(document)
        except MalformedMessageError as error:
            # A newer manager may send kinds that this client does not know.
            logger.debug("ignored an event: %s", error)


def _ends(event: Event) -> bool:
    final = {str(stage) for stage in Stage if stage.is_final}
    return event.kind is Kind.STAGE_CHANGED and event.payload.stage in final


def _segment(identifier: str) -> str:
    return quote(identifier, safe="")
