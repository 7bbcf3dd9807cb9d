"""When the loss of a learner matters, and which failure is the true cause."""

from typing import Final

from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role, Stage
from flops_manager.domain.projects import LearnerFailed, Project, ProjectError

_OWN_FAULT: Final = frozenset(
    {
        ExitCode.USER_CODE_FAILED,
        ExitCode.NO_DATA,
        ExitCode.DATA_SERVER_UNREACHABLE,
        ExitCode.DATASET_UNAVAILABLE,
        ExitCode.DATA_REJECTED,
        ExitCode.BAD_SETTINGS,
    }
)
"""What a learner reports about itself, not about the aggregator that left it."""


def can_meet_minima(project: Project) -> bool:
    """Say whether the learners that have not failed are enough for every minimum."""
    training = project.sla.training_configuration
    minima = max(
        training.min_available_clients, training.min_fit_clients, training.min_evaluate_clients
    )
    lost = {one.instance for one in project.learner_failures}
    left = [
        one
        for one in project.services
        if one.role is Role.LEARNER and one.attempt == project.attempt and one.instance not in lost
    ]
    return len(left) >= minima


def learner_explains_it(project: Project) -> bool:
    """Say whether the project failed for want of learners and now knows why they left."""
    error = project.error
    return (
        project.stopped_in is Stage.TRAINING
        and error is not None
        and error.exit_code == ExitCode.TOO_FEW_LEARNERS
        and any(one.error.exit_code in _OWN_FAULT for one in project.learner_failures)
    )


def first_cause(failures: tuple[LearnerFailed, ...], later: ProjectError | None) -> ProjectError:
    """Return the failure that the others follow from.

    A learner's own fault comes first; then ``later``, if it is more than "too few learners".
    """
    own_faults = [one.error for one in failures if one.error.exit_code in _OWN_FAULT]
    if later is not None and not (failures and later.exit_code == ExitCode.TOO_FEW_LEARNERS):
        return later
    return (own_faults or [one.error for one in failures])[0]
