"""The life of a project, from submission to a served model.

Everything that can happen to a project is one row of ``TRANSITIONS``; read that table first.
This module does no I/O: ``transition`` turns (project, event) into the project's next state and
the commands to carry out, and the use cases carry them out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from flops_contracts.events import ActorsBuilt, ModelBuilt, ModelServing, Trained
from flops_contracts.roles import Role, Stage
from flops_contracts.sla import PostTrainingStep
from flops_manager.domain.commands import (
    Announce,
    Command,
    CreateApplications,
    Deploy,
    Locate,
    Place,
    Remove,
    Undeploy,
    UndeployLost,
)
from flops_manager.domain.errors import IllegalTransitionError
from flops_manager.domain.facts import with_facts
from flops_manager.domain.learners import (
    can_meet_minima,
    first_cause,
    is_replaced,
    learner_explains_it,
)
from flops_manager.domain.project_events import (
    ActorLost,
    CancelRequested,
    DeleteRequested,
    ModelLocated,
    Placed,
    ProjectEvent,
    RetryRequested,
    StepFailed,
)
from flops_manager.domain.projects import LearnerFailed, Project, StageEntry
from flops_manager.domain.services import plan

S = Stage

RUNS_IN: Final[dict[Stage, tuple[Role, ...]]] = {
    S.SUBMITTED: (),
    S.BUILDING_ACTORS: (Role.BUILDER,),
    S.TRAINING: (Role.AGGREGATOR, Role.CLUSTER_AGGREGATOR, Role.LEARNER),
    S.BUILDING_MODEL: (Role.BUILDER,),
    S.SERVING: (Role.MODEL_SERVER,),
}
"""The roles that live in each stage that is still going; stopping is derived from it."""

FOUND: Final[tuple[Command, ...]] = (
    CreateApplications(),
    Deploy(Role.OBSERVER, S.SUBMITTED),
    Deploy(Role.TRACKING_SERVER, S.SUBMITTED),
)
"""What every stage builds on. Observer and tracking server stay, for whoever looks back."""

PREPARE: Final[tuple[Command, ...]] = (Place(), *FOUND)
"""What submission starts. Who has to wait for a place uses nothing up."""


def start(stage: Stage) -> tuple[Command, ...]:
    """Return the commands that start what lives in ``stage``."""
    return tuple(Deploy(role, stage) for role in RUNS_IN[stage])


def stop(stage: Stage) -> tuple[Command, ...]:
    """Return the commands that stop what lives in ``stage``."""
    return tuple(Undeploy(role, stage) for role in RUNS_IN[stage])


def hand_over(old: Stage, new: Stage) -> tuple[Command, ...]:
    """Return the commands that free what ``old`` used, then start ``new``."""
    return stop(old) + start(new)


def start_again(stage: Stage) -> tuple[Command, ...]:
    """Return the commands that put others, or the same anew, in the place of who was lost.

    Whoever runs is left alone.
    """
    return (UndeployLost(), *start(stage))


def always(_project: Project) -> bool:
    """Say yes: the guard of a row that has none."""
    return True


def wants_no_image(project: Project) -> bool:
    """Whether the project ends with training."""
    return PostTrainingStep.BUILD not in project.sla.post_training_steps


def wants_image_only(project: Project) -> bool:
    """Whether the project ends with an image that nobody serves."""
    return PostTrainingStep.DEPLOY not in project.sla.post_training_steps


def stopped_in(stage: Stage) -> Callable[[Project], bool]:
    """Return the guard of projects that failed or were cancelled in ``stage``."""

    def was_stopped_there(project: Project) -> bool:
        return project.stopped_in is stage

    was_stopped_there.__name__ = f"stopped_in_{stage}"
    return was_stopped_there


@dataclass(frozen=True)
class Row:
    """In ``stage``, ``event`` leads to ``target`` if ``when`` holds, and to these commands."""

    stage: Stage
    event: type[ProjectEvent]
    target: Stage
    commands: tuple[Command, ...] = ()
    when: Callable[[Project], bool] = always


TRANSITIONS: Final[tuple[Row, ...]] = (
    # Where everything goes is decided before anything is built: what cannot work fails at once.
    Row(S.SUBMITTED, Placed, S.BUILDING_ACTORS, start(S.BUILDING_ACTORS)),
    Row(S.BUILDING_ACTORS, ActorsBuilt, S.TRAINING, hand_over(S.BUILDING_ACTORS, S.TRAINING)),
    # A retry looks again where things can go, because nodes come and go.
    Row(S.BUILDING_ACTORS, Placed, S.BUILDING_ACTORS, start(S.BUILDING_ACTORS)),
    Row(S.TRAINING, Placed, S.TRAINING, start(S.TRAINING)),
    # A learner, or a cluster's aggregator, that died is started again a few times; else losing it
    # (and with it perhaps a cluster) costs nothing while those that are left can meet the minima.
    Row(S.TRAINING, LearnerFailed, S.TRAINING, start_again(S.TRAINING), when=is_replaced),
    Row(S.TRAINING, LearnerFailed, S.TRAINING, (UndeployLost(),), when=can_meet_minima),
    Row(S.TRAINING, LearnerFailed, S.FAILED, stop(S.TRAINING)),
    # After training the user may want nothing more, an image, or an image that is served.
    Row(S.TRAINING, Trained, S.COMPLETED, stop(S.TRAINING), when=wants_no_image),
    Row(S.TRAINING, Trained, S.BUILDING_MODEL, hand_over(S.TRAINING, S.BUILDING_MODEL)),
    Row(S.BUILDING_MODEL, ModelBuilt, S.COMPLETED, stop(S.BUILDING_MODEL), when=wants_image_only),
    Row(S.BUILDING_MODEL, ModelBuilt, S.SERVING, hand_over(S.BUILDING_MODEL, S.SERVING)),
    # The model answers its own health check; now find out where others reach it.
    Row(S.SERVING, ModelServing, S.SERVING, (Locate(),)),
    Row(S.SERVING, ModelLocated, S.COMPLETED),
    # What a stage cannot do without is deployed anew a few times where that may help: a builder
    # goes on with what is cached, an aggregator with its checkpoint and the learners it had.
    *(Row(stage, ActorLost, stage, start_again(stage)) for stage in RUNS_IN if RUNS_IN[stage]),
    # Every stage that is still going can fail or be cancelled; what it started is stopped.
    *(Row(stage, StepFailed, S.FAILED, stop(stage)) for stage in RUNS_IN),
    *(Row(stage, CancelRequested, S.CANCELLED, stop(stage)) for stage in RUNS_IN),
    Row(S.CANCELLED, CancelRequested, S.CANCELLED),
    # "Too few learners" is nobody's cause: a learner that tells later why it left is heard.
    Row(S.FAILED, LearnerFailed, S.FAILED, when=learner_explains_it),
    # A retry starts at the stage that stopped, with what the earlier ones left behind; what
    # all stages build on may be the very thing that was lost.
    *(
        Row(end, RetryRequested, stage, again, when=stopped_in(stage))
        for end in (S.FAILED, S.CANCELLED)
        for stage, again in (
            (S.SUBMITTED, PREPARE),
            (S.BUILDING_ACTORS, PREPARE),
            (S.TRAINING, PREPARE),
            (S.BUILDING_MODEL, (*FOUND, *start(S.BUILDING_MODEL))),
            (S.SERVING, (*FOUND, *start(S.SERVING))),
        )
    ),
    # What is deleted is stopped first, wherever it is.
    *(Row(stage, DeleteRequested, S.CANCELLED, (*stop(stage), Remove())) for stage in RUNS_IN),
    *(Row(stage, DeleteRequested, stage, (Remove(),)) for stage in S if stage.is_final),
)


def submitted(project: Project) -> tuple[Project, tuple[Command, ...]]:
    """Return a new project as it is first stored, and the commands that start it."""
    entered = (StageEntry(Stage.SUBMITTED, project.created_at),)
    announced = Announce(Stage.SUBMITTED, "")
    planned = plan(replace(project, stage_history=entered), PREPARE)
    return planned, (announced, *PREPARE)


def transition(
    project: Project, event: ProjectEvent, now: datetime
) -> tuple[Project, tuple[Command, ...]]:
    """Return the project after ``event``, and the commands that make it true.

    Raises ``IllegalTransitionError`` for what cannot happen in this stage.
    """
    if project.is_deleted:
        raise IllegalTransitionError(f"Project {project.id} is being deleted.")
    if isinstance(event, StepFailed) and event.stage != project.stage:
        raise IllegalTransitionError(f"{event.stage} failed while {project.stage}")
    known = with_facts(project, event)
    for row in TRANSITIONS:
        if row.stage is project.stage and isinstance(event, row.event) and row.when(known):
            return _move(known, row, now)
    raise _illegal(project, event)


def _illegal(project: Project, event: ProjectEvent) -> IllegalTransitionError:
    """Return why ``event`` cannot happen: for people what people ask, for the log all else."""
    match event:
        case CancelRequested():
            return IllegalTransitionError(
                f"Project {project.id} has ended already: it is {project.stage}.",
                hint="There is nothing left to cancel; delete it to remove what it left.",
            )
        case RetryRequested():
            return IllegalTransitionError(
                f"Project {project.id} is {project.stage}; "
                "only one that failed or was cancelled can be retried.",
                hint="Submit it again to train anew.",
            )
        case _:
            return IllegalTransitionError(f"{type(event).__name__} while {project.stage}")


def _move(project: Project, row: Row, now: datetime) -> tuple[Project, tuple[Command, ...]]:
    """Return the project in the row's target, with the services that its commands will start."""
    moved = replace(project, updated_at=now)
    if row.target is Stage.FAILED and project.learner_failures:
        moved = replace(moved, error=first_cause(project.learner_failures, project.error))
    commands = tuple(_of_attempt(command, project.attempt) for command in row.commands)
    if row.target is row.stage:
        return plan(moved, commands), commands
    entry = StageEntry(row.target, now)
    moved = replace(
        moved,
        stage=row.target,
        stage_history=(*project.stage_history, entry),
        stopped_in=row.stage if row.target in {S.FAILED, S.CANCELLED} else None,
        progress=None,
        waiting="",
    )
    announce = Announce(
        stage=row.target,
        previous=row.stage,
        number=len(moved.stage_history),
        reason=moved.error.reason if moved.error else "",
        hint=moved.error.hint if moved.error else "",
    )
    return plan(moved, commands), (announce, *commands)


def _of_attempt(command: Command, attempt: int) -> Command:
    if isinstance(command, Deploy | Undeploy):
        return replace(command, attempt=attempt)
    return command
