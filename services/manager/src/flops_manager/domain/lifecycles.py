"""How a lifecycle works, whether it is a project's or a mock's: a table of transitions.

This module does no I/O: ``Lifecycle.transition`` turns (subject, event) into the subject's next
state and the commands to carry out, and the use cases carry them out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from flops_contracts.events import Event
from flops_contracts.roles import MockStage, Role, Stage
from flops_manager.domain.commands import Announce, Command, Deploy, Undeploy
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.errors import IllegalTransitionError
from flops_manager.domain.learners import first_cause
from flops_manager.domain.project_events import (
    CancelRequested,
    ProjectEvent,
    RetryRequested,
    StepFailed,
)
from flops_manager.domain.services import plan
from flops_manager.domain.subjects import Subject

S = TypeVar("S", bound=Subject)

Changed = tuple[S, tuple[Command, ...]]
"""A subject after a change, and the commands that follow from it."""


def always(_subject: Subject) -> bool:
    """Return True: the guard of a row that has no condition."""
    return True


@dataclass(frozen=True)
class Row(Generic[S]):
    """In ``stage``, ``event`` leads to ``target`` if ``when`` holds, and to these commands."""

    stage: Stage | MockStage
    event: type[ProjectEvent]
    target: Stage | MockStage
    commands: tuple[Command, ...] = ()
    when: Callable[[S], bool] = always


@dataclass(frozen=True)
class Lifecycle(Generic[S]):
    """The lifecycle of one kind of subject.

    ``runs_in`` are the roles that live in each stage that is not final, ``prepare`` the commands of
    submission. ``with_facts`` adds what an event of the lifecycle makes known, ``with_message``
    what an actor's message does, and ``limit`` is how many seconds the present stage may take.
    """

    noun: str
    runs_in: Mapping[Any, tuple[Role, ...]]
    prepare: tuple[Command, ...]
    rows: tuple[Row[S], ...]
    with_facts: Callable[[S, ProjectEvent], S]
    with_message: Callable[[S, Event, datetime, bool], S]
    limit: Callable[[S, Limits], float]

    @property
    def roles(self) -> frozenset[Role]:
        """The roles of all its services."""
        prepared = {command.role for command in self.prepare if isinstance(command, Deploy)}
        return frozenset(prepared.union(*self.runs_in.values()))

    def submitted(self, subject: S) -> Changed[S]:
        """Return a new subject as it is first stored, and the commands that start it."""
        entered = subject.entered(subject.stage, subject.created_at)
        return plan(entered, self.prepare), (Announce(subject.stage, ""), *self.prepare)

    def transition(self, subject: S, event: ProjectEvent, now: datetime) -> Changed[S]:
        """Return the subject after ``event``, and the commands that make it true.

        Raises ``IllegalTransitionError`` for what cannot happen in this stage.
        """
        if subject.is_deleted:
            raise IllegalTransitionError(f"{self.noun.capitalize()} {subject.id} is being deleted.")
        if isinstance(event, StepFailed) and event.stage != subject.stage:
            raise IllegalTransitionError(f"{event.stage} failed while {subject.stage}")
        informed = self.with_facts(subject, event)
        for row in self.rows:
            if row.stage is subject.stage and isinstance(event, row.event) and row.when(informed):
                return _move(informed, row, now)
        raise self._illegal(subject, event)

    def _illegal(self, subject: S, event: ProjectEvent) -> IllegalTransitionError:
        """Return why ``event`` cannot happen, in words for what people request."""
        name = f"{self.noun.capitalize()} {subject.id}"
        match event:
            case CancelRequested():
                return IllegalTransitionError(
                    f"{name} has ended already: it is {subject.stage}.",
                    hint="There is nothing left to cancel; delete it to remove what it left.",
                )
            case RetryRequested():
                return IllegalTransitionError(
                    f"{name} is {subject.stage}; "
                    "only one that failed or was cancelled can be retried.",
                    hint="Submit it again to train from the start.",
                )
            case _:
                return IllegalTransitionError(f"{type(event).__name__} while {subject.stage}")


def _move(subject: S, row: Row[S], now: datetime) -> Changed[S]:
    """Return the subject in the row's target, with the services that its commands will start."""
    moved = replace(subject, updated_at=now)
    if row.target == Stage.FAILED and subject.learner_failures:
        moved = replace(moved, error=first_cause(subject.learner_failures, subject.error))
    commands = tuple(_of_attempt(command, subject.attempt) for command in row.commands)
    if row.target is row.stage:
        return plan(moved, commands), commands
    moved = moved.entered(row.target, now)
    announce = Announce(
        stage=row.target,
        previous=row.stage,
        number=moved.stage_number,
        reason=moved.error.reason if moved.error else "",
        hint=moved.error.hint if moved.error else "",
    )
    return plan(moved, commands), (announce, *commands)


def _of_attempt(command: Command, attempt: int) -> Command:
    if isinstance(command, Deploy | Undeploy):
        return replace(command, attempt=attempt)
    return command
