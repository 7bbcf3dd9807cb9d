"""The meaning of a service's loss, and the error that explains it."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from flops_contracts.api.answers import LearnerFailed, ProjectError
from flops_contracts.events import Event, Failure
from flops_manager.domain.learners import REPLACEABLE, can_be_redeployed
from flops_manager.domain.project_events import ActorLost, StepFailed
from flops_manager.domain.subjects import Service, Subject

MAX_STARTS: Final = 3
"""How often a one-shot may begin before its restarts count as a failure."""


def lost(
    subject: Subject, instance: str, error: ProjectError, event_id: str = ""
) -> LearnerFailed | ActorLost | StepFailed:
    """Return what it means that a service of the present stage is lost."""
    service = subject.service(instance)
    if error.round is None:
        error = replace(error, round=subject.current_round)
    if service is not None and service.role in REPLACEABLE:
        return LearnerFailed(instance, error)
    if service is not None and can_be_redeployed(service, error):
        return ActorLost(instance, error, event_id)
    return StepFailed(subject.stage, error)


def error_from_failure(
    event: Event, failure: Failure, origin: Service | None = None
) -> ProjectError:
    """Return an actor's own account of its failure, as one of ``origin`` if it began there."""
    actor = origin or event.actor
    return ProjectError(
        reason=failure.reason,
        stage=event.stage,
        hint=failure.hint,
        where=failure.where,
        error=failure.error,
        role=actor.role,
        instance=actor.instance,
        cluster=actor.cluster,
        node=actor.node,
        round=failure.round,
        cycle=failure.cycle,
        exit_code=failure.exit_code,
        last_lines=failure.last_lines,
        at=event.at,
    )


def error_of(service: Service, reason: str, at: datetime, **more: Any) -> ProjectError:
    """Return an error that the manager noticed, because ``service`` could not report it."""
    return ProjectError(
        reason=reason,
        stage=service.stage,
        role=service.role,
        instance=service.instance,
        cluster=service.cluster,
        node=service.node,
        at=at,
        **{"last_lines": service.last_lines, **more},
    )


def too_many_starts(service: Service, at: datetime) -> ProjectError:
    """Return the error of a one-shot that the orchestrator began too often."""
    reason = f"{service.instance} ended without a result and was restarted {MAX_STARTS} times."
    return error_of(service, reason, at, hint="Look at its log; it may lack memory.")
