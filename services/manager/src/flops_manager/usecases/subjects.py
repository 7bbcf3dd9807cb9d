"""The use cases that projects and mocks share."""

import json
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Final, Generic, TypeVar

from flops_contracts.api.answers import ProjectError
from flops_contracts.api.queries import LogQuery
from flops_contracts.errors import FlopsError
from flops_contracts.events import Event, Kind
from flops_contracts.roles import MockStage, Stage
from flops_manager.domain.errors import (
    AlreadyExistsError,
    IllegalTransitionError,
    KeyReusedError,
    SubjectNotFoundError,
)
from flops_manager.domain.facts import event_from_message, noted
from flops_manager.domain.lifecycles import Changed, Lifecycle
from flops_manager.domain.project_events import DeleteRequested, StepFailed
from flops_manager.domain.subjects import Subject
from flops_manager.ports.stores import EventStore, Pending, Record, Records
from flops_manager.usecases.answers import Page
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.changes import change, unchanged
from flops_manager.usecases.kept_logs import KeptLogs, LogPage
from flops_manager.usecases.liveness import Liveness

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=Subject)


def subject_id(noun: str, customer_id: str, idempotency_key: str) -> str:
    """Return a new id of 12 hex digits; the same key of the same customer gives the same one.

    ``noun`` keeps projects and mocks apart: they share the history, which is stored by id.
    """
    if not idempotency_key:
        return secrets.token_hex(6)
    named = json.dumps([noun, customer_id, idempotency_key])
    return sha256(named.encode()).hexdigest()[:12]


class Subjects(Generic[S]):
    """Everything that can be done with each kind of subject."""

    def __init__(
        self,
        life: Lifecycle[S],
        store: Records[S],
        history: EventStore,
        logs: KeptLogs,
        liveness: Liveness,
        now: Callable[[], datetime],
    ) -> None:
        self.life: Final = life
        self._store = store
        self._history = history
        self._kept_logs = logs
        self._liveness = liveness
        self._now = now

    def get(self, subject_id: str, caller: Caller) -> S:
        """Return a subject; raise ``SubjectNotFoundError``, also for those of other customers."""
        return self._liveness.shown(self._visible(subject_id, caller))[0]

    def _visible(self, subject_id: str, caller: Caller) -> S:
        subject = self._store.get(subject_id).subject
        if subject.is_deleted or not caller.may_see(subject.customer_id):
            raise SubjectNotFoundError.of(self.life.noun, subject_id)
        return subject

    def list(
        self,
        caller: Caller,
        stage: Stage | MockStage | None = None,
        page: int = 1,
        page_size: int = 50,
    ) -> Page[S]:
        """Return a page of the caller's subjects (an Admin's: all), newest first."""
        customer_id = None if caller.is_admin else caller.user
        items, total = self._store.list(customer_id, stage, (page - 1) * page_size, page_size)
        return Page(tuple(items), total)

    def lines(self, subject_id: str, caller: Caller, query: LogQuery) -> LogPage:
        """Return lines of the actors' logs, also of those that are gone."""
        return self._kept_logs.read(self._visible(subject_id, caller).id, query)

    def delete(self, subject_id: str, caller: Caller, *, with_runs: bool = False) -> None:
        """Stop a subject, remove all it has at the orchestrator (a served model too), forget it.

        Its experiment and model in MLflow stay, unless ``with_runs``; data that a mock stored stay.
        The worker does so after this returns; the subject is invisible from now on.
        """

        def step(subject: S) -> Changed[S]:
            if not caller.may_see(subject.customer_id):
                raise SubjectNotFoundError.of(self.life.noun, subject_id)
            if subject.is_deleted:
                return unchanged(subject)
            return self.life.transition(subject, DeleteRequested(with_runs), self._now())

        change(self._store, subject_id, step)

    def fail(self, subject_id: str, cause: FlopsError) -> None:
        """Fail a subject that cannot be stored with what was to be added, and drop its details."""

        def step(subject: S) -> Changed[S]:
            if subject.stage.is_final:
                return unchanged(subject)
            error = ProjectError(
                reason=cause.reason,
                hint=cause.hint,
                stage=subject.stage,
                error=type(cause).__name__,
                at=self._now(),
            )
            event = StepFailed(subject.stage, error)
            return self.life.transition(subject.without_details(), event, self._now())

        change(self._store, subject_id, step)

    def notify(self, subject_id: str, notice: str) -> None:
        """Show a sentence with a subject, if it is still there."""
        with suppress(SubjectNotFoundError):
            change(self._store, subject_id, lambda subject: (noted(subject, notice), ()))

    def receive(self, event: Event) -> None:
        """Store and apply an actor's message; the same message twice changes nothing.

        Raises ``SubjectNotFoundError`` for a subject that is gone.
        """
        # A heartbeat describes a state, not a change: it is not part of the history.
        if event.kind is Kind.HEARTBEAT:
            self._liveness.take(event, self._store)
            return
        # First, so that nothing is stored of a subject that is gone.
        loaded = self._store.get(event.project_id)
        is_new = self._history.append(event.project_id, event)
        if not is_new and event.kind is Kind.STARTED:
            return

        def step(subject: S) -> Changed[S]:
            now = self._now()
            informed = self.life.with_message(subject, event, now, is_new)
            meaning = event_from_message(informed, event)
            if meaning is None:
                return informed, ()
            try:
                return self.life.transition(informed, meaning, now)
            except IllegalTransitionError as error:
                logger.info("dropped a late %s of %s: %s", event.kind, event.project_id, error)
                return informed, ()

        change(self._store, event.project_id, step, loaded=loaded)

    def _add(self, subject: S, caller: Caller, *, is_repeatable: bool) -> S:
        """Store a new subject; a repeated key returns the first one.

        Raises ``KeyReusedError`` if the key's first subject has another SLA, and
        ``AlreadyExistsError`` while it is being deleted.
        """
        submitted, commands = self.life.submitted(subject)
        if is_repeatable and (first := self._first(submitted, caller)):
            return first
        self._admit(submitted)
        try:
            self._store.add(Record(submitted, todo=tuple(map(Pending, commands))))
        except AlreadyExistsError:
            return self._first(submitted, caller) or submitted
        return submitted

    def _admit(self, subject: S) -> None:
        """Raise an error if the customer may not have one more."""

    def _first(self, subject: S, caller: Caller) -> S | None:
        """Return what the same key made before, if it did and asked for the same."""
        try:
            first = self._store.get(subject.id).subject
        except SubjectNotFoundError:
            return None
        if first.is_deleted or not caller.may_see(first.customer_id):
            raise AlreadyExistsError(
                f"The {self.life.noun} of this Idempotency-Key is being deleted.",
                hint="Send another key, or the same one again in a moment.",
            )
        if first.sla != subject.sla:
            made = f"{self.life.noun} {first.id}"
            raise KeyReusedError(
                f"This Idempotency-Key was used for another SLA: it made the {made}.",
                hint="Send a new key for a new request.",
            )
        return first
