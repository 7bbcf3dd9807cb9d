"""The life of a project, from submission to a served model.

Everything that can happen to a project is one row of ``TRANSITIONS``; read that table first.
How such a table works is in ``lifecycles.py``.
"""

from collections.abc import Callable
from typing import Final

from flops_contracts.api.answers import LearnerFailed
from flops_contracts.events import ActorsBuilt, ModelBuilt, ModelServing, Trained
from flops_contracts.roles import Role, Stage
from flops_contracts.sla import PostTrainingStep
from flops_manager.domain.commands import (
    Command,
    CreateApplications,
    Deploy,
    Locate,
    Place,
    Remove,
    Undeploy,
    UndeployLost,
)
from flops_manager.domain.deadlines import project_limit
from flops_manager.domain.facts import with_facts, with_message
from flops_manager.domain.learners import (
    can_meet_minima,
    is_replaced,
    learner_explains_it,
)
from flops_manager.domain.lifecycles import Lifecycle, Row
from flops_manager.domain.project_events import (
    ActorLost,
    CancelRequested,
    DeleteRequested,
    ModelLocated,
    Placed,
    RetryRequested,
    StepFailed,
)
from flops_manager.domain.projects import Project

S = Stage

RUNS_IN: Final[dict[Stage, tuple[Role, ...]]] = {
    S.SUBMITTED: (),
    S.BUILDING_ACTORS: (Role.BUILDER,),
    S.TRAINING: (Role.AGGREGATOR, Role.CLUSTER_AGGREGATOR, Role.LEARNER),
    S.BUILDING_MODEL: (Role.BUILDER,),
    S.SERVING: (Role.MODEL_SERVER,),
}
"""The roles that live in each stage that is still going; stopping is derived from it."""

FOUNDATION: Final[tuple[Command, ...]] = (
    CreateApplications(),
    Deploy(Role.OBSERVER, S.SUBMITTED),
    Deploy(Role.TRACKING_SERVER, S.SUBMITTED),
)
"""What every stage builds on. Observer and tracking server stay after the project has ended."""

PREPARE: Final[tuple[Command, ...]] = (Place(), *FOUNDATION)
"""What submission starts. While it waits for room, a project uses no resources."""


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
    """Return the commands that replace what was lost, and leave alone what runs."""
    return (UndeployLost(), *start(stage))


def wants_no_image(project: Project) -> bool:
    """Return whether the project ends with training."""
    return PostTrainingStep.BUILD not in project.sla.post_training_steps


def wants_image_only(project: Project) -> bool:
    """Return whether the project ends with an image that is not served."""
    return PostTrainingStep.DEPLOY not in project.sla.post_training_steps


def stopped_in(stage: Stage) -> Callable[[Project], bool]:
    """Return the guard of projects that failed or were cancelled in ``stage``."""

    def was_stopped_there(project: Project) -> bool:
        return project.stopped_in is stage

    was_stopped_there.__name__ = f"stopped_in_{stage}"
    return was_stopped_there


TRANSITIONS: Final[tuple[Row[Project], ...]] = (
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
    # An actor that its stage needs is deployed again a few times where that may help: a builder
    # goes on with what is cached, an aggregator with its checkpoint and the learners it had.
    *(Row(stage, ActorLost, stage, start_again(stage)) for stage in RUNS_IN if RUNS_IN[stage]),
    # Every stage that is still going can fail or be cancelled; what it started is stopped.
    *(Row(stage, StepFailed, S.FAILED, stop(stage)) for stage in RUNS_IN),
    *(Row(stage, CancelRequested, S.CANCELLED, stop(stage)) for stage in RUNS_IN),
    Row(S.CANCELLED, CancelRequested, S.CANCELLED),
    # "Too few learners" is not a cause: a learner that later reports why it left is listened to.
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
            (S.BUILDING_MODEL, (*FOUNDATION, *start(S.BUILDING_MODEL))),
            (S.SERVING, (*FOUNDATION, *start(S.SERVING))),
        )
    ),
    # A deleted project is stopped first, in every stage.
    *(Row(stage, DeleteRequested, S.CANCELLED, (*stop(stage), Remove())) for stage in RUNS_IN),
    *(Row(stage, DeleteRequested, stage, (Remove(),)) for stage in S if stage.is_final),
)


PROJECTS: Final = Lifecycle(
    noun=Project.noun,
    runs_in=RUNS_IN,
    prepare=PREPARE,
    rows=TRANSITIONS,
    with_facts=with_facts,
    with_message=with_message,
    limit=project_limit,
)
