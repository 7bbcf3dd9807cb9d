"""What it means for a project or mock that its services are in certain states, or time is up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from flops_contracts.roles import Role, Stage
from flops_manager.domain.learners import REPLACEABLE
from flops_manager.domain.lifecycle import RUNS_IN
from flops_manager.domain.liveness import LastHeartbeat, with_heartbeat
from flops_manager.domain.losses import current_round, error_of
from flops_manager.domain.projects import (
    DIED,
    DONE,
    LOST,
    NOT_STARTED,
    PLANNED,
    SILENT,
    Project,
    ProjectError,
    Service,
)
from flops_manager.domain.scheduling_hints import (
    NODE_SCHEDULED,
    hint_when_refused,
    hint_when_silent,
)
from flops_manager.domain.services import FOR_GOOD
from flops_manager.domain.states import Health, ServiceState

LOG_LINES: Final = 40
MISSES: Final = 3
"""How many heartbeats may fail to come until an actor counts as silent."""

_EXIT_CODE: Final = re.compile(r"\bexit(?:ed)?(?: with)? code (\d{1,3})\b")
"""How orchestrators write it among other things."""

NEW_SECONDS: Final = 5.0
"""A list that was asked for before a service was deployed does not prove that it is gone."""


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds; how many projects there may be, where 0 is any."""

    scheduling_seconds: float = 120
    placing_seconds: float = 180
    building_seconds: float = 1800
    joining_seconds: float = 300
    serving_seconds: float = 300
    providing_seconds: float = 1800
    starting_seconds: float = 180
    heartbeat_seconds: float = 10
    queue_seconds: float = 3600
    running_projects: int = 0
    projects_per_customer: int = 0


def round_seconds(project: Project) -> int:
    """Return how long a round of the project's aggregator, or a cycle, may take."""
    sla = project.sla
    return sla.cycle_timeout_seconds if project.is_hierarchical else sla.round_timeout_seconds


def stage_limit(project: Project, limits: Limits) -> float:
    """Return how many seconds the project may stay in its present stage."""
    return {
        Stage.SUBMITTED: limits.queue_seconds if project.waiting else limits.placing_seconds,
        Stage.BUILDING_ACTORS: limits.building_seconds,
        Stage.TRAINING: limits.joining_seconds + project.expected_rounds * round_seconds(project),
        Stage.BUILDING_MODEL: limits.building_seconds,
        Stage.SERVING: limits.serving_seconds,
    }[project.stage]


def is_serving(project: Project, heartbeats: Mapping[str, LastHeartbeat]) -> bool:
    """Return whether a heartbeat of the model server repeats an event that may have got lost."""
    return project.stage is Stage.SERVING and any(
        with_heartbeat(service, heartbeats).state == "serving"
        for service in watched(project)
        if service.role is Role.MODEL_SERVER and service.attempt == project.attempt
    )


def overdue(
    project: Project,
    heartbeats: Mapping[str, LastHeartbeat],
    limits: Limits,
    began: datetime,
    now: datetime,
) -> ProjectError | None:
    """Return the error of a stage that takes longer than it may, or None.

    Only time since ``began`` counts: what happened while nobody watched may not be heard yet.
    """
    if project.stage.is_final:
        return None
    seconds = stage_limit(project, limits)
    if (now - max(began, project.entered_at)).total_seconds() <= seconds:
        return None
    last = f" The last that was heard: {project.progress.message}." if project.progress else ""
    last = f" {project.waiting}" if project.waiting else last
    reason = f"The stage {project.stage} did not end within {seconds:.0f} s.{last}"
    waits_for = holding_up(project)
    if waits_for is None:
        return ProjectError(reason, project.stage, "Look at the manager's log, then retry.", at=now)
    waits_for = with_heartbeat(waits_for, heartbeats)
    return error_of(
        waits_for,
        f"{reason} It waited for the {waits_for.role} {waits_for.instance}, which "
        + (f"said last: {waits_for.state}." if waits_for.state else "said nothing."),
        now,
        hint="Look at its logs, then retry.",
        round=current_round(project),
    )


def holding_up(project: Project) -> Service | None:
    """Return whom the project's stage waits for: who does not run, or whose result ends it."""
    there = watched(project)
    idle = [one for one in there if one.running_since is None]
    leaders = [one for one in there if one.role is next(iter(RUNS_IN[project.stage]), None)]
    return next(iter((*idle, *leaders)), None)


def watched(project: Project) -> tuple[Service, ...]:
    """Return the services whose loss would matter now."""
    lost = {one.instance for one in project.learner_failures}
    return tuple(
        one
        for one in deployed(project)
        if one.stage == project.stage and one.role not in FOR_GOOD and one.instance not in lost
    )


def deployed(project: Project) -> tuple[Service, ...]:
    """Return the services that the orchestrator has, and shall have."""
    return tuple(
        one for one in project.services if one.job_id and not one.is_removed and one.status != LOST
    )


def with_state(service: Service, state: ServiceState) -> Service:
    """Return the service as the orchestrator sees it."""
    lines = tuple(state.logs.splitlines()[-LOG_LINES:])
    return replace(
        service,
        status=state.status,
        public_address=state.public_address or service.public_address,
        last_lines=lines or service.last_lines,
    )


def observed(service: Service, state: ServiceState, now: datetime) -> Service:
    """Return the service as the orchestrator sees it, and since when it is seen to run."""
    seen = with_state(service, state)
    if state.health is not Health.RUNNING or seen.running_since:
        return seen
    return replace(seen, running_since=now)


def loss(
    service: Service, state: ServiceState | None, limits: Limits, now: datetime
) -> ProjectError | None:
    """Return why ``service`` is lost, or None if it is not."""
    waited = (now - service.deployed_at).total_seconds() if service.deployed_at else 0.0
    if state is None and waited < NEW_SECONDS:
        return None
    if state is None:
        return error_of(
            service,
            f"The service {service.instance} is gone from the orchestrator.",
            now,
            hint="Somebody deleted it; retry.",
            error=DIED,
        )
    name, detail = f"The {service.role} {service.instance}", _in_brackets(state.detail)
    seen = with_state(service, state)
    error = ""
    match state.health:
        # A result is stored before its actor may end well; a learner's is no part of the life.
        case Health.ENDED if service.role not in REPLACEABLE:
            reason = f"{name} ended without a result, as if all were well."
            hint = "Something in it may have ended its process; its last lines say more."
        case Health.DEAD:
            error = DIED
            reason = f"{name} ended without a result: {state.status}{detail}."
            hint = "It may have been killed or lacked memory; its last lines say more."
        case Health.UNPLACEABLE:
            reason = f"{name} could not be placed: {state.status}{detail}."
            hint = hint_when_refused(state.status)
        case Health.WAITING if waited > limits.scheduling_seconds:
            reason = (
                f"{name} is still {state.status or 'unscheduled'} after {waited:.0f} s{detail}."
            )
            hint = hint_when_silent(state.status)
            # It may be the node: another deployment finds what is fetched already, or another node.
            error = NOT_STARTED if state.status == NODE_SCHEDULED else ""
        case _:
            return None
    code = _EXIT_CODE.search(state.detail)
    return error_of(
        seen, reason, now, hint=hint, error=error, exit_code=int(code[1]) if code else None
    )


def silence(
    service: Service,
    state: ServiceState | None,
    limits: Limits,
    hearing_since: datetime | None,
    now: datetime,
) -> ProjectError | None:
    """Return what it means that ``service`` runs without a sign of life, or None if it is well.

    ``hearing_since`` is when messages began to come without a gap, None while they do not: who
    cannot be heard is not silent.
    """
    is_running = state is not None and state.health is Health.RUNNING
    if not is_running or hearing_since is None or service.state == DONE:
        return None
    heard, deployed_at = service.last_heartbeat, service.deployed_at
    if heard and deployed_at and heard < deployed_at:
        # Late words of the one before it, which had its name.
        heard = None
    # A node may take minutes to fetch the image before it starts it.
    last, is_begun = heard or service.running_since or deployed_at, heard is not None
    allowed = MISSES * limits.heartbeat_seconds if is_begun else limits.starting_seconds
    if last is None or (now - max(last, hearing_since)).total_seconds() <= allowed:
        return None
    seconds = (now - last).total_seconds()
    doing = f" The last that it said it did: {service.state}." if service.state else ""
    return error_of(
        with_state(service, state) if state else service,
        f"No answer from the {service.role} {service.instance} for {seconds:.0f} s.{doing}",
        now,
        hint="It may be frozen, overloaded, or cut off from the broker.",
        error=SILENT,
    )


def is_deployable(service: Service) -> bool:
    """Say whether a service still has to be deployed; what is there for good may be lost again."""
    return service.status == PLANNED or service.role in FOR_GOOD


def _in_brackets(detail: str) -> str:
    return f" ({detail})" if detail else ""
