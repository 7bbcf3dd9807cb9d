"""Carrying out pending commands, in order, until the outbox is empty or one has to wait."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from flops_contracts.api.answers import ProjectError
from flops_contracts.errors import FlopsError
from flops_manager.domain.commands import Remove, Undeploy, UndeployLost
from flops_manager.domain.errors import (
    IllegalTransitionError,
    NotYetError,
    OrchestratorUnavailableError,
    StaleProjectError,
    StoreUnavailableError,
    SubjectNotFoundError,
)
from flops_manager.domain.lifecycles import Changed
from flops_manager.domain.subjects import Subject
from flops_manager.metrics import COMMAND_ATTEMPTS, COMMAND_SECONDS, COMMANDS
from flops_manager.ports.stores import Pending, Record, Records
from flops_manager.usecases.changes import Step, change, unchanged
from flops_manager.usecases.steps import Steps
from flops_runtime import tracing

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=Subject)

LONGEST_REST_SECONDS: Final = 10.0
MAX_FAILURES: Final = 30
"""About four minutes of trying again, with these rests."""

MAX_BUGS: Final = 3
"""An error that nobody foresaw hardly ever passes."""

_MAY_PASS: Final = (OrchestratorUnavailableError, StoreUnavailableError, StaleProjectError)


class Related(Protocol):
    """Data about projects or mocks in another store: their history, heartbeats or logs."""

    def remove(self, subject_id: str) -> None:
        """Delete the data of a project or mock, if there are any."""


class Outbox(Generic[S]):
    """Empties the outboxes of projects, or of mocks."""

    def __init__(
        self,
        store: Records[S],
        related: tuple[Related, ...],
        steps: Steps[S],
        now: Callable[[], datetime],
        first_rest_seconds: float = 0.2,
    ) -> None:
        self._first_rest_seconds = first_rest_seconds
        self._store = store
        self._related = related
        self._steps = steps
        self._now = now

    def busy(self) -> tuple[str, ...]:
        """Return the ids of those with something to do."""
        return tuple(self._store.busy())

    def drain(self, subject_id: str, may_go_on: Callable[[], bool]) -> float:
        """Carry out the pending commands; return 0, or the seconds to wait before a retry.

        ``may_go_on`` is called before each command: another worker may have taken over.
        """
        try:
            while may_go_on() and (record := self._store.get(subject_id)).todo:
                rest = self._run_step(subject_id, record)
                if rest:
                    return rest
        except SubjectNotFoundError:
            return 0.0
        return 0.0

    def _run_step(self, subject_id: str, record: Record[S]) -> float:
        """Carry out the first pending command; return 0 or the seconds to rest."""
        pending = record.todo[0]
        logger.debug("%s: %s", subject_id, pending.command)
        try:
            with _traced(record.subject, pending), COMMAND_SECONDS.labels(_kind(pending)).time():
                step = self._steps.carry_out(record.subject, pending.command)
                self._finish(subject_id, pending, step)
        except NotYetError as error:
            _count(pending, "waiting")
            return self._wait(subject_id, error)
        except FlopsError as error:
            return self._failed(subject_id, record, error, is_hopeless=not _may_pass(error))
        except Exception as error:
            # A bug must neither stop the worker nor stay hidden: the project shows it.
            logger.exception("%s failed", pending.command, extra={"project": subject_id})
            return self._failed(subject_id, record, error, is_hopeless=False)
        _count(pending, "done")
        COMMAND_ATTEMPTS.labels(_kind(pending)).observe(pending.failures + 1)
        return 0.0

    def _wait(self, subject_id: str, error: NotYetError) -> float:
        """Show what it waits for. That is not a failure; the deadline of the stage bounds it."""

        def step(subject: S) -> Changed[S]:
            return replace(subject, waiting=error.reason), ()

        change(self._store, subject_id, step)
        return error.rest_seconds

    def _finish(self, subject_id: str, pending: Pending, step: Step[S] | None) -> None:
        if step is None:
            # First, so that an interruption repeats this; again, for events that came meanwhile.
            for store in self._related:
                store.remove(subject_id)
            self._store.remove(subject_id)
            for store in self._related:
                store.remove(subject_id)
            return
        try:
            change(self._store, subject_id, step, done=pending)
        except IllegalTransitionError as error:
            # The project moved on while this was done, for example because it was cancelled.
            logger.info("%s came too late: %s", pending.command, error)
            change(self._store, subject_id, unchanged, done=pending)

    def _failed(
        self, subject_id: str, record: Record[S], error: Exception, *, is_hopeless: bool
    ) -> float:
        pending = record.todo[0]
        failures = pending.failures + 1
        # Cleaning up is never given up: what is left behind would run for ever.
        is_cleaning = isinstance(pending.command, Undeploy | UndeployLost | Remove)
        limit = MAX_FAILURES if isinstance(error, FlopsError) else MAX_BUGS
        logger.warning(
            "%s failed for the %d. time: %s",
            pending.command,
            failures,
            error,
            extra={"project": subject_id},
        )
        if not is_cleaning and (is_hopeless or failures >= limit):
            self._give_up(subject_id, record, error)
            _count(pending, "given_up")
            COMMAND_ATTEMPTS.labels(_kind(pending)).observe(failures)
            return 0.0
        _count(pending, "failed")
        self._remember(subject_id, pending, failures)
        doubled: float = self._first_rest_seconds * 2.0 ** min(failures - 1, 10)
        return min(doubled, LONGEST_REST_SECONDS)

    def _remember(self, subject_id: str, pending: Pending, failures: int) -> None:
        record = self._store.get(subject_id)
        if record.todo[:1] == (pending,):
            again = (replace(pending, failures=failures), *record.todo[1:])
            try:
                self._store.save(replace(record, todo=again))
            except StaleProjectError:
                logger.debug("a failure of %s is not counted", subject_id)

    def _give_up(self, subject_id: str, record: Record[S], error: Exception) -> None:
        pending = record.todo[0]
        why = ProjectError(
            reason=error.reason if isinstance(error, FlopsError) else f"unexpected {error!r}",
            hint=error.hint if isinstance(error, FlopsError) else "This is a bug in FLOps.",
            where=error.where if isinstance(error, FlopsError) else "",
            stage=str(record.subject.stage),
            error=type(error).__name__,
            instance=error.origin if isinstance(error, FlopsError) else "",
            at=self._now(),
        )
        self._finish(subject_id, pending, self._steps.give_up(record.subject, why))


def _traced(subject: Subject, pending: Pending) -> AbstractContextManager[Any]:
    about: dict[str, Any] = {"flops.subject": subject.id, "failures": pending.failures}
    return tracing.continued(subject.trace, _kind(pending), **about)


def _kind(pending: Pending) -> str:
    return type(pending.command).__name__


def _count(pending: Pending, outcome: str) -> None:
    COMMANDS.labels(_kind(pending), outcome).inc()


def _may_pass(error: FlopsError) -> bool:
    return isinstance(error, _MAY_PASS)
