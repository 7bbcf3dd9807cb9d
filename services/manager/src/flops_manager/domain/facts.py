"""What becomes known of a project: by what happened to it, and by what its actors say."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from flops_contracts.events import (
    RESULTS,
    ActorsBuilt,
    Event,
    Failure,
    Kind,
    ModelBuilt,
    ModelServing,
    Progress,
    RoundCompleted,
    RoundStarted,
    Trained,
)
from flops_contracts.roles import Role, Stage
from flops_manager.domain.learners import (
    can_be_replaced,
    cause_of_cluster,
    first_cause,
    lost_clusters,
)
from flops_manager.domain.losses import MAX_STARTS, error_from_failure, lost, too_many_starts
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
from flops_manager.domain.projects import (
    DONE,
    LOST,
    ClusterRound,
    LearnerFailed,
    Project,
    Service,
)
from flops_manager.domain.round_records import with_cluster_round, with_round

MAX_NOTICES: Final = 50
LONGEST_NOTICE: Final = 4000
MAX_DETAILED_LOSSES: Final = 20
"""Of how many lost learners the last lines of their logs stay with the project."""


def with_facts(  # noqa: C901, PLR0911 - a case per event
    project: Project, event: ProjectEvent
) -> Project:
    """Return the project with what ``event`` tells; the stage is left to the table."""
    match event:
        case Placed():
            placed = replace(project, placements=event.placements, waiting="")
            return _noted(placed, *event.notices)
        case ActorsBuilt():
            return replace(
                project,
                images=event.images,
                commit=event.commit,
                python_version=event.python_version,
                dependency_lock=event.dependency_lock,
            )
        case Trained():
            return replace(project, trained=event)
        case ModelBuilt():
            return replace(project, model_image=event.image)
        case ModelLocated():
            return replace(project, model_address=event.address)
        case StepFailed():
            return replace(project, error=first_cause(project.learner_failures, event.error))
        case LearnerFailed():
            return _with_lost_learner(project, event)
        case ActorLost():
            return _with_lost_actor(project, event)
        case RetryRequested():
            return _without_last_attempt(project)
        case DeleteRequested(with_runs=with_runs):
            return replace(project, is_deleted=True, takes_runs_along=with_runs)
        case ModelServing() | CancelRequested():
            return project


def _without_last_attempt(project: Project) -> Project:
    # Its rounds stay: training goes on after the last that its checkpoint has.
    return replace(project, attempt=project.attempt + 1, error=None, learner_failures=())


def _with_lost_learner(project: Project, event: LearnerFailed) -> Project:
    """Return the project with the loss on record, and with what it means in its notices."""
    known = [one for one in project.learner_failures if one.instance == event.instance]
    others = tuple(one for one in project.learner_failures if one.instance != event.instance)
    replaced = known[0].is_replaced if known else can_be_replaced(project, event)
    lost = replace(event, is_replaced=replaced)
    if len(others) >= MAX_DETAILED_LOSSES:
        lost = replace(lost, error=replace(lost.error, last_lines=()))
    after = replace(project, learner_failures=(*others, lost))
    if replaced and not known:
        after = _noted(after, f"Another is started in its place: {event.error.reason}")
    for cluster in sorted(lost_clusters(after) - lost_clusters(project)):
        cause = cause_of_cluster(after, cluster)
        after = _noted(after, f"The cluster {cluster} is left out: {cause.reason}")
    return after


def _with_lost_actor(project: Project, event: ActorLost) -> Project:
    """Return the project with a service that is to be deployed anew, under the same name."""
    service = project.service(event.instance)
    if service is None:
        return project
    again = replace(service, status=LOST, redeployed=service.redeployed + 1, lost_by=event.event_id)
    told = f"The {service.role} is started again: {event.error.reason}"
    return _noted(project.with_service(again), told)


def with_told(
    project: Project, event: Event, heard_at: datetime | None = None, *, is_new: bool = True
) -> Project:
    """Return the project with what an actor told, in any stage; its stage stays.

    ``heard_at`` is the time by the manager's own clock; the actor's may be wrong. What is not new
    was told before, and perhaps not applied: it fills gaps, and replaces nothing that came later.
    """
    service = project.service(event.actor.instance)
    if service is None:
        return project
    told = project.with_service(seen(service, event, heard_at))
    if isinstance(event.payload, RoundCompleted) and _is_of_attempt(project, service, event):
        # Messages overtake each other: a round is true even if training is over already.
        told = _with_round(told, service, event.payload, replaces=is_new)
    if project.stage.is_final or not is_new or not is_current(project, event):
        return _with_notice(told, event)
    match event.payload:
        case Progress():
            return replace(told, progress=event.payload)
        case RoundStarted(round=number):
            return replace(told, progress=_progress(told, service, event.payload, number - 1))
        case RoundCompleted(round=number):
            return replace(told, progress=_progress(told, service, event.payload, number))
        case _:
            return _with_notice(told, event)


def _progress(
    project: Project, service: Service, payload: RoundStarted | RoundCompleted, done: int
) -> Progress:
    """Return how far training is: a cluster's rounds are parts of the project's cycles."""
    text = f"round {payload.round} of {payload.rounds}"
    if not project.is_hierarchical:
        return Progress(text, done, payload.rounds, "rounds")
    total = project.expected_rounds
    told = project.progress
    before = told.done if told and told.unit == "cycles" else 0
    if service.role is Role.AGGREGATOR:
        # A cycle that begins is not behind the clusters that are in it already.
        return Progress(f"cycle {payload.round} of {total}", max(before, done), total, "cycles")
    cycles = payload.cycle - 1 + done / payload.rounds
    where = f"cycle {payload.cycle} of {total}, {text} in {service.cluster}"
    return Progress(where, max(before, min(cycles, total)), total, "cycles")


def is_current(project: Project, event: Event) -> bool:
    """Say whether ``event`` comes from a service of the stage that the project is in.

    A failed training still listens to its learners: one of them may know why it failed.
    """
    service = project.service(event.actor.instance)
    stage = project.stopped_in if project.stage is Stage.FAILED else project.stage
    return (
        service is not None and service.stage == stage and _is_of_attempt(project, service, event)
    )


def _is_of_attempt(project: Project, service: Service, event: Event) -> bool:
    return service.attempt == project.attempt and service.stage == event.stage


def event_from_told(project: Project, event: Event) -> ProjectEvent | None:
    """Return what an actor's message means for the project's life, if anything."""
    if not is_current(project, event):
        return None
    payload = event.payload
    service = project.service(event.actor.instance)
    if service is not None and service.lost_by == event.event_id:
        # It came twice, and its service is being deployed anew already.
        return None
    if isinstance(payload, Failure):
        error = error_from_failure(event, payload, project.service(payload.origin))
        return lost(project, event.actor.instance, error, event.event_id)
    if isinstance(payload, ActorsBuilt | Trained | ModelBuilt | ModelServing):
        return payload
    if event.kind is Kind.STARTED and service is not None and service.starts > MAX_STARTS:
        return lost(project, service.instance, too_many_starts(service, event.at))
    return None


def seen(service: Service, event: Event, heard_at: datetime | None = None) -> Service:
    """Return the service with the sign of life that ``event`` is."""
    if event.kind is Kind.STARTED:
        service = replace(service, started_at=event.at, starts=service.starts + 1)
    if event.kind is Kind.DATA_LOADED and service.started_at:
        service = replace(service, fetch_seconds=(event.at - service.started_at).total_seconds())
    return replace(
        service,
        last_heartbeat=heard_at or event.at,
        state=DONE if event.kind in RESULTS else service.state,
        cluster=service.cluster or event.actor.cluster,
        node=service.node or event.actor.node,
    )


def _with_round(
    project: Project, service: Service, done: RoundCompleted, *, replaces: bool
) -> Project:
    """Return the project with a round of its aggregator, or of one of its clusters."""
    if service.role is Role.CLUSTER_AGGREGATOR:
        below = ClusterRound(service.cluster, done)
        rounds = with_cluster_round(project.cluster_rounds, below, replaces=replaces)
        return replace(project, cluster_rounds=rounds)
    done = replace(done, is_cycle=project.is_hierarchical)
    project = replace(project, rounds=with_round(project.rounds, done, replaces=replaces))
    return _noted(project, *_missing(project, done)) if done.is_cycle else project


def _missing(project: Project, cycle: RoundCompleted) -> list[str]:
    """Return a sentence for each cluster that a cycle went on without."""
    told = []
    for one in cycle.learners:
        service = project.service(one.learner)
        if one.error and service is not None:
            told.append(f"Cycle {cycle.round} went on without {service.cluster}: {one.error}")
    return told


def _with_notice(project: Project, event: Event) -> Project:
    if event.kind is not Kind.NOTICE:
        return project
    return _noted(project, event.payload.message)


def _noted(project: Project, *messages: str) -> Project:
    """Return the project with what is new in ``messages`` among its notices."""
    told = (one[:LONGEST_NOTICE] for one in messages)
    new = tuple(one for one in told if one not in project.notices)
    return replace(project, notices=(*project.notices, *new)[-MAX_NOTICES:])
