"""Mock data providers: asking for data, and watching them being provided."""

import logging
from collections.abc import Callable
from datetime import datetime

from flops_contracts.events import Event, Kind
from flops_contracts.roles import MockStage
from flops_contracts.sla import MockSla
from flops_manager.domain.commands import Command
from flops_manager.domain.errors import (
    AlreadyExistsError,
    IllegalTransitionError,
    MockNotFoundError,
)
from flops_manager.domain.mock_lifecycle import (
    mock_event_from_told,
    mock_told,
    mock_transition,
    submitted_mock,
)
from flops_manager.domain.mocks import Mock
from flops_manager.domain.project_events import DeleteRequested
from flops_manager.ports.stores import EventStore, MockStore, Pending, Record
from flops_manager.usecases.answers import Page
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.changes import change, unchanged
from flops_manager.usecases.kept_logs import KeptLogs, LogPage, LogQuery
from flops_manager.usecases.liveness import Liveness
from flops_manager.usecases.projects import being_deleted, require_same, subject_id
from flops_runtime import tracing

logger = logging.getLogger(__name__)


class Mocks:
    """Everything that can be done with mocks."""

    def __init__(
        self,
        store: MockStore,
        history: EventStore,
        kept: KeptLogs,
        liveness: Liveness,
        now: Callable[[], datetime],
    ) -> None:
        self._kept = kept
        self._liveness = liveness
        self._store = store
        self._history = history
        self._now = now

    def submit(self, sla: MockSla, caller: Caller, idempotency_key: str = "") -> Mock:
        """Store a new mock and let the worker start it; the same key returns the first mock.

        Raises ``NotAllowedError`` if the SLA names another customer and the caller is no Admin,
        ``KeyReusedError`` if the key's first mock has another SLA, and ``AlreadyExistsError``
        while it is being deleted.
        """
        caller.require_customer(sla.customer_id)
        now = self._now()
        mock, commands = submitted_mock(
            Mock(
                id=subject_id("mock", sla.customer_id, idempotency_key),
                customer_id=sla.customer_id,
                sla=sla,
                stage=MockStage.SUBMITTED,
                created_at=now,
                updated_at=now,
                trace=tracing.current(),
            )
        )
        try:
            self._store.add(Record(mock, todo=tuple(map(Pending, commands))))
        except AlreadyExistsError:
            try:
                first = self.get(mock.id, caller)
            except MockNotFoundError as error:
                raise being_deleted("mock data provider") from error
            require_same(first.sla, sla, "mock data provider", first.id)
            return first
        return mock

    def get(self, mock_id: str, caller: Caller) -> Mock:
        """Return a mock; raise ``MockNotFoundError``, also for those of others."""
        return self._liveness.shown(self._visible(mock_id, caller))[0]

    def _visible(self, mock_id: str, caller: Caller) -> Mock:
        mock = self._store.get(mock_id).subject
        if mock.is_deleted or not caller.may_see(mock.customer_id):
            raise MockNotFoundError.of(mock_id)
        return mock

    def lines(self, mock_id: str, caller: Caller, query: LogQuery) -> LogPage:
        """Return lines of the provider's log, also when it is gone."""
        return self._kept.read(self._visible(mock_id, caller).id, query)

    def list(
        self, caller: Caller, stage: MockStage | None = None, page: int = 1, page_size: int = 50
    ) -> Page[Mock]:
        """Return a page of the caller's mocks (an Admin's: all), newest first."""
        customer_id = None if caller.is_admin else caller.user
        items, total = self._store.list(customer_id, stage, (page - 1) * page_size, page_size)
        return Page(self._liveness.shown(*items), total)

    def delete(self, mock_id: str, caller: Caller) -> None:
        """Stop and forget a mock; the data that it stored stay. Raises ``MockNotFoundError``."""

        def step(mock: Mock) -> tuple[Mock, tuple[Command, ...]]:
            if not caller.may_see(mock.customer_id):
                raise MockNotFoundError.of(mock_id)
            if mock.is_deleted:
                return unchanged(mock)
            return mock_transition(mock, DeleteRequested(), self._now())

        change(self._store, mock_id, step)

    def receive(self, event: Event) -> None:
        """Store and apply what a provider said; the same message twice changes nothing.

        Raises ``MockNotFoundError`` for a mock that is gone.
        """
        if event.kind is Kind.HEARTBEAT:
            self._liveness.take(event, self._store)
            return
        loaded = self._store.get(event.project_id)
        is_new = self._history.append(event.project_id, event)
        if not is_new and event.kind is Kind.STARTED:
            return

        def step(mock: Mock) -> tuple[Mock, tuple[Command, ...]]:
            told = mock_told(mock, event, self._now())
            meaning = mock_event_from_told(told, event)
            if meaning is None:
                return told, ()
            try:
                return mock_transition(told, meaning, self._now())
            except IllegalTransitionError as error:
                logger.info("dropped a late %s of %s: %s", event.kind, event.project_id, error)
                return told, ()

        change(self._store, event.project_id, step, loaded=loaded)
