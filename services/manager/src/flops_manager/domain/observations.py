"""The meaning of services' states, and of passing time, for a project or mock."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from flops_contracts.api.answers import ProjectError
from flops_contracts.roles import Role, Stage
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.learners import REPLACEABLE
from flops_manager.domain.lifecycles import Lifecycle
from flops_manager.domain.liveness import LastHeartbeat, with_heartbeat
from flops_manager.domain.losses import error_of
from flops_manager.domain.scheduling_hints import (
    NODE_SCHEDULED,
    hint_when_refused,
    hint_when_silent,
)
from flops_manager.domain.services import FOR_GOOD
from flops_manager.domain.states import Health, ServiceState
from flops_manager.domain.subjects import (
    DIED,
    DONE,
    LOST,
    NOT_STARTED,
    PLANNED,
    SILENT,
    Service,
    Subject,
)

S = TypeVar("S", bound=Subject)

LOG_LINES: Final = 40
LONGEST_LINE: Final = 200
MISSES: Final = 3
"""How many heartbeats may fail to come until an actor counts as silent."""

_EXIT_CODE: Final = re.compile(r"\bexit(?:ed)?(?: with)? code (\d{1,3})\b")
"""How orchestrators write it among other things."""

NEW_SECONDS: Final = 5.0
"""A list requested before a service was deployed does not prove that it is gone."""


def is_serving(subject: Subject, heartbeats: Mapping[str, LastHeartbeat]) -> bool:
    """Return whether a heartbeat of the model server repeats an event that may have got lost."""
    return subject.stage is Stage.SERVING and any(
        with_heartbeat(service, heartbeats).state == "serving"
        for service in watched(subject)
        if service.role is Role.MODEL_SERVER and service.attempt == subject.attempt
    )


def overdue(
    subject: S,
    life: Lifecycle[S],
    heartbeats: Mapping[str, LastHeartbeat],
    limits: Limits,
    began: datetime,
    now: datetime,
) -> ProjectError | None:
    """Return the error of a stage that takes longer than it may, or None.

    Only time since ``began`` counts: messages of the time before may not have arrived yet.
    """
    if subject.stage.is_final:
        return None
    seconds = life.limit(subject, limits)
    if (now - max(began, subject.entered_at)).total_seconds() <= seconds:
        return None
    latest = f" Its latest progress: {subject.progress.message}." if subject.progress else ""
    latest = f" {subject.waiting}" if subject.waiting else latest
    reason = f"The stage {subject.stage} did not end within {seconds:.0f} s.{latest}"
    blocker = holding_up(subject, life)
    if blocker is None:
        hint = "Look at the manager's log, then try again."
        return ProjectError(reason, subject.stage, hint, at=now)
    blocker = with_heartbeat(blocker, heartbeats)
    return error_of(
        blocker,
        f"{reason} It was waiting for {blocker.role} {blocker.instance}, which "
        + (f"last reported: {blocker.state}." if blocker.state else "never reported."),
        now,
        hint="Look at its logs, then try again.",
        round=subject.current_round,
    )


def holding_up(subject: S, life: Lifecycle[S]) -> Service | None:
    """Return the service that the stage waits for: one that does not run, or that ends it."""
    services = watched(subject)
    idle = [service for service in services if service.running_since is None]
    leading_role = next(iter(life.runs_in[subject.stage]), None)
    leaders = [service for service in services if service.role is leading_role]
    return next(iter((*idle, *leaders)), None)


def watched(subject: Subject) -> tuple[Service, ...]:
    """Return the services whose loss would matter now."""
    lost = {failure.instance for failure in subject.learner_failures}
    return tuple(
        service
        for service in deployed(subject)
        if service.stage == subject.stage
        and service.role not in FOR_GOOD
        and service.instance not in lost | subject.delivered
    )


def deployed(subject: Subject) -> tuple[Service, ...]:
    """Return the services that the orchestrator has, and shall have."""
    return tuple(
        service
        for service in subject.services
        if service.job_id and not service.is_removed and service.status != LOST
    )


def with_state(service: Service, state: ServiceState) -> Service:
    """Return the service as the orchestrator sees it."""
    lines = tuple(state.logs.splitlines()[-LOG_LINES:])
    return replace(
        service,
        status=state.status,
        public_address=state.public_address or service.public_address,
        port=state.port or service.port,
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
    waited = _seconds_since_deployment(service, now)
    if state is None and waited < NEW_SECONDS:
        return None
    if state is None:
        return error_of(
            service,
            f"The service {service.instance} is gone from the orchestrator.",
            now,
            hint="Somebody deleted it; try again.",
            error=DIED,
        )
    name, detail = f"The {service.role} {service.instance}", _in_brackets(state.detail)
    seen = with_state(service, state)
    error = ""
    match state.health:
        # A result is stored before its actor may end; a learner's is not part of the lifecycle.
        case Health.ENDED if service.role not in REPLACEABLE:
            reason = f"{name} ended without a result, as if all were well.{_last_words(seen)}"
            hint = "Something in it may have ended its process; its last lines say more."
        case Health.DEAD:
            error = DIED
            reason = f"{name} ended without a result: {state.status}{detail}.{_last_words(seen)}"
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


def is_gone(service: Service, states: Mapping[str, ServiceState], now: datetime) -> bool:
    """Return whether the orchestrator, which reports ``states``, has the service no more."""
    return service.instance not in states and _seconds_since_deployment(service, now) >= NEW_SECONDS


def _seconds_since_deployment(service: Service, now: datetime) -> float:
    return (now - service.deployed_at).total_seconds() if service.deployed_at else 0.0


def silence(
    service: Service,
    state: ServiceState | None,
    limits: Limits,
    hearing_since: datetime | None,
    now: datetime,
) -> ProjectError | None:
    """Return the error of a service that runs without heartbeats, or None if it is alive.

    ``hearing_since`` is when messages began to come without a gap, None while they do not: an
    actor that cannot be heard is not silent.
    """
    is_running = state is not None and state.health is Health.RUNNING
    if not is_running or hearing_since is None or service.state == DONE:
        return None
    heard, deployed_at = service.last_heartbeat, service.deployed_at
    if heard and deployed_at and heard < deployed_at:
        # A late message of its predecessor, which had its name.
        heard = None
    # A node may take minutes to fetch the image before it starts it.
    last, is_begun = heard or service.running_since or deployed_at, heard is not None
    allowed = MISSES * limits.heartbeat_seconds if is_begun else limits.starting_seconds
    if last is None or (now - max(last, hearing_since)).total_seconds() <= allowed:
        return None
    seconds = (now - last).total_seconds()
    doing = _last_state(service)
    return error_of(
        with_state(service, state) if state else service,
        f"No answer from the {service.role} {service.instance} for {seconds:.0f} s.{doing}",
        now,
        hint="It may be frozen, overloaded, or cut off from the broker.",
        error=SILENT,
    )


def is_deployable(service: Service) -> bool:
    """Return whether a service must be deployed; one that runs for good may have got lost."""
    return service.status == PLANNED or service.role in FOR_GOOD


def _last_words(service: Service) -> str:
    """Return what a service reported and printed last: roots do not say why one ended."""
    line = next((line.strip() for line in reversed(service.last_lines) if line.strip()), "")
    printed = f" Its last line: {line[:LONGEST_LINE]}" if line else ""
    return f"{_last_state(service)}{printed}"


def _last_state(service: Service) -> str:
    return f" Its last reported state: {service.state}." if service.state else ""


def _in_brackets(detail: str) -> str:
    return f" ({detail})" if detail else ""
