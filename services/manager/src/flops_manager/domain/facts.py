"""Adds to a project or mock what events of its lifecycle and messages of its actors tell."""

from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from flops_contracts.api.answers import LearnerFailed
from flops_contracts.events import (
    RESULTS,
    ActorsBuilt,
    DataProvided,
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
from flops_contracts.roles import Role
from flops_manager.domain.learners import (
    can_be_replaced,
    cause_of_cluster,
    first_cause,
    lost_clusters,
)
from flops_manager.domain.losses import MAX_STARTS, error_from_failure, lost, too_many_starts
from flops_manager.domain.project_events import (
    ActorLost,
    DataStored,
    DeleteRequested,
    ModelLocated,
    Placed,
    ProjectEvent,
    RetryRequested,
    StepFailed,
)
from flops_manager.domain.projects import ClusterRound, Project
from flops_manager.domain.round_records import with_cluster_round, with_round
from flops_manager.domain.subjects import DONE, LOST, Service, Subject

S = TypeVar("S", bound=Subject)

MAX_NOTICES: Final = 50
LONGEST_NOTICE: Final = 4000
MAX_DETAILED_LOSSES: Final = 20
"""How many lost learners keep the last lines of their logs in the project."""


def common_facts(subject: S, event: ProjectEvent) -> S:
    """Return the subject with what ``event`` makes known of every kind of subject."""
    match event:
        case Placed():
            placed = replace(subject, placements=event.placements, waiting="")
            return noted(placed, *event.notices)
        case StepFailed():
            return replace(subject, error=first_cause(subject.learner_failures, event.error))
        case DeleteRequested():
            return replace(subject, is_deleted=True)
        case _:
            return subject


def with_facts(  # noqa: C901, PLR0911 - a case per event
    project: Project, event: ProjectEvent
) -> Project:
    """Return the project with what ``event`` makes known; the stage is left to the table."""
    match event:
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
        case LearnerFailed():
            return _with_lost_learner(project, event)
        case ActorLost():
            return _with_lost_actor(project, event)
        case RetryRequested():
            # Its rounds stay: training goes on after the last that its checkpoint has.
            return replace(project, attempt=project.attempt + 1, error=None, learner_failures=())
        case DeleteRequested(with_runs=with_runs):
            return replace(project, is_deleted=True, takes_runs_along=with_runs)
        case _:
            return common_facts(project, event)


def _with_lost_learner(project: Project, event: LearnerFailed) -> Project:
    """Return the project with the loss on record, and with what it means in its notices."""
    failures = project.learner_failures
    earlier = [failure for failure in failures if failure.instance == event.instance]
    others = tuple(failure for failure in failures if failure.instance != event.instance)
    is_replaced = earlier[0].is_replaced if earlier else can_be_replaced(project, event)
    failure = replace(event, is_replaced=is_replaced)
    if len(others) >= MAX_DETAILED_LOSSES:
        failure = replace(failure, error=replace(failure.error, last_lines=()))
    after = replace(project, learner_failures=(*others, failure))
    if is_replaced and not earlier:
        after = noted(after, f"Another is started in its place: {event.error.reason}")
    for cluster in sorted(lost_clusters(after) - lost_clusters(project)):
        cause = cause_of_cluster(after, cluster)
        after = noted(after, f"The cluster {cluster} is left out: {cause.reason}")
    return after


def _with_lost_actor(project: Project, event: ActorLost) -> Project:
    """Return the project with a service that is to be deployed again, under the same name."""
    service = project.service(event.instance)
    if service is None:
        return project
    again = replace(service, status=LOST, redeployed=service.redeployed + 1, lost_by=event.event_id)
    notice = f"The {service.role} is started again: {event.error.reason}"
    return noted(project.with_service(again), notice)


def common_message(subject: S, event: Event, received_at: datetime, is_new: bool) -> S:
    """Return the subject with what any actor's message makes known; its stage stays.

    ``received_at`` is the time by the manager's own clock; the actor's may be wrong. A message that
    is not new came before, and was perhaps not applied: it fills gaps, and replaces nothing later.
    """
    service = subject.service(event.actor.instance)
    if service is None:
        return subject
    subject = subject.with_service(seen(service, event, received_at))
    if event.kind is Kind.NOTICE:
        return noted(subject, event.payload.message)
    if isinstance(event.payload, Progress) and is_new and _is_going_on(subject, event):
        return replace(subject, progress=event.payload)
    return subject


def with_message(project: Project, event: Event, received_at: datetime, is_new: bool) -> Project:
    """Return the project with what a message makes known, its rounds included."""
    project = common_message(project, event, received_at, is_new)
    service, payload = project.service(event.actor.instance), event.payload
    if service is None or not isinstance(payload, RoundStarted | RoundCompleted):
        return project
    if isinstance(payload, RoundCompleted) and _is_of_attempt(project, service, event):
        # Messages overtake each other: a round is true even if training is over already.
        project = _with_round(project, service, payload, replaces=is_new)
    if not is_new or not _is_going_on(project, event):
        return project
    done = payload.round - isinstance(payload, RoundStarted)
    return replace(project, progress=_progress(project, service, payload, done))


def _progress(
    project: Project, service: Service, payload: RoundStarted | RoundCompleted, done: int
) -> Progress:
    """Return how far training is: a cluster's rounds are parts of the project's cycles."""
    text = f"round {payload.round} of {payload.rounds}"
    if not project.is_hierarchical:
        return Progress(text, done, payload.rounds, "rounds")
    total = project.expected_rounds
    so_far = project.progress
    before = so_far.done if so_far and so_far.unit == "cycles" else 0
    if service.role is Role.AGGREGATOR:
        # A cycle that begins is not behind the clusters that are in it already.
        return Progress(f"cycle {payload.round} of {total}", max(before, done), total, "cycles")
    cycles = payload.cycle - 1 + done / payload.rounds
    where = f"cycle {payload.cycle} of {total}, {text} in {service.cluster}"
    return Progress(where, max(before, min(cycles, total)), total, "cycles")


def is_current(subject: Subject, event: Event) -> bool:
    """Return whether ``event`` comes from a service whose stage still listens to it."""
    service = subject.service(event.actor.instance)
    return (
        service is not None
        and service.stage == subject.reporting_stage
        and _is_of_attempt(subject, service, event)
    )


def _is_going_on(subject: Subject, event: Event) -> bool:
    return not subject.stage.is_final and is_current(subject, event)


def _is_of_attempt(subject: Subject, service: Service, event: Event) -> bool:
    return service.attempt == subject.attempt and service.stage == event.stage


def event_from_message(  # noqa: PLR0911 - a case per message
    subject: Subject, event: Event
) -> ProjectEvent | None:
    """Return what an actor's message means for the subject's lifecycle, if anything."""
    service = subject.service(event.actor.instance)
    if service is None or not is_current(subject, event) or service.instance in subject.delivered:
        return None
    if service.lost_by == event.event_id:
        # It came twice, and its service is being deployed again already.
        return None
    match payload := event.payload:
        case Failure():
            error = error_from_failure(event, payload, subject.service(payload.origin))
            return lost(subject, service.instance, error, event.event_id)
        case ActorsBuilt() | Trained() | ModelBuilt() | ModelServing():
            return payload
        case DataProvided(fragments=fragments):
            return DataStored(service.instance, fragments)
        case _:
            pass
    if event.kind is Kind.STARTED and service.starts > MAX_STARTS:
        return lost(subject, service.instance, too_many_starts(service, event.at))
    return None


def seen(service: Service, event: Event, received_at: datetime) -> Service:
    """Return the service with the sign of life that ``event`` is."""
    if event.kind is Kind.STARTED:
        service = replace(service, started_at=event.at, starts=service.starts + 1)
    if event.kind is Kind.DATA_LOADED and service.started_at:
        service = replace(service, fetch_seconds=(event.at - service.started_at).total_seconds())
    return replace(
        service,
        last_heartbeat=received_at,
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
    return noted(project, *_missing(project, done)) if done.is_cycle else project


def _missing(project: Project, cycle: RoundCompleted) -> list[str]:
    """Return a sentence for each cluster that a cycle went on without."""
    sentences = []
    for share in cycle.learners:
        service = project.service(share.learner)
        if share.error and service is not None:
            sentences.append(
                f"Cycle {cycle.round} went on without {service.cluster}: {share.error}"
            )
    return sentences


def noted(subject: S, *messages: str) -> S:
    """Return the subject with those of ``messages`` that are new among its notices."""
    shortened = (message[:LONGEST_NOTICE] for message in messages)
    new = tuple(message for message in shortened if message not in subject.notices)
    return replace(subject, notices=(*subject.notices, *new)[-MAX_NOTICES:])
