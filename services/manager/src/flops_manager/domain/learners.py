"""When the loss of a learner or of a whole cluster matters, and which failure is the true cause."""

from collections.abc import Container
from typing import Final

from flops_contracts.api.answers import LearnerFailed, ProjectError
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role, Stage
from flops_manager.domain.projects import Project
from flops_manager.domain.subjects import DIED, LOST, NOT_STARTED, SILENT, Service, Subject

MAX_REPLACEMENTS: Final = 2
"""How often a learner, aggregator or builder that dies is started again."""

REPLACEABLE: Final = frozenset({Role.LEARNER, Role.CLUSTER_AGGREGATOR})
"""The roles that training can lose: others of their kind go on."""

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
"""Exit codes by which a learner reports a fault of its own, not the loss of its aggregator."""

_PASSING: Final = frozenset(
    {ExitCode.TERMINATED, ExitCode.BROKER_UNREACHABLE, ExitCode.NOT_ACKNOWLEDGED}
)
"""Exit codes that another process in the same place may well not have."""

_PASSING_BELOW: Final = _PASSING | {ExitCode.AGGREGATOR_UNREACHABLE, ExitCode.TOO_FEW_LEARNERS}
"""The same for processes that depend on an aggregator."""


def can_meet_minima(project: Project) -> bool:
    """Return whether enough are left: learners, or in hierarchical mode clusters of learners."""
    training = project.sla.training_configuration
    if not project.is_hierarchical:
        return len(_left(project, Role.LEARNER)) >= training.minima
    return len(_clusters(project) - lost_clusters(project)) >= training.min_clusters


def lost_clusters(project: Project) -> frozenset[str]:
    """Return the clusters that take no part any more: no aggregator, or too few learners."""
    aggregators = {service.cluster for service in _left(project, Role.CLUSTER_AGGREGATOR)}
    learners = [service.cluster for service in _left(project, Role.LEARNER)]
    needed = project.sla.training_configuration.minima
    return frozenset(
        cluster
        for cluster in _clusters(project)
        if cluster not in aggregators or learners.count(cluster) < needed
    )


def is_left_out(project: Project, service: Service) -> bool:
    """Return whether ``service`` is lost, or useless because its cluster is lost."""
    lost = {failure.instance for failure in project.learner_failures}
    if service.status == LOST or service.instance in lost:
        return True
    return service.role in REPLACEABLE and service.cluster in lost_clusters(project)


def is_replaced(project: Project) -> bool:
    """Return whether the service that was lost last is replaced."""
    return bool(project.learner_failures) and project.learner_failures[-1].is_replaced


def can_be_replaced(project: Project, lost: LearnerFailed) -> bool:
    """Return whether another try in the same place may help, and was not made too often."""
    service = project.service(lost.instance)
    if service is None or project.stage is not Stage.TRAINING:
        return False
    may_pass = _may_pass(lost.error, _PASSING_BELOW)
    is_alone = service.cluster in lost_clusters(project)
    return may_pass and not is_alone and len(replaced_before(project, service)) < MAX_REPLACEMENTS


def can_be_redeployed(service: Service, error: ProjectError) -> bool:
    """Return whether the same service may succeed when it is deployed again.

    A builder finds what is cached, an aggregator its checkpoint and its learners.
    """
    is_tried_again = service.role is not Role.MOCK_DATA_PROVIDER
    return is_tried_again and service.redeployed < MAX_REPLACEMENTS and _may_pass(error, _PASSING)


def _may_pass(error: ProjectError, passing: Container[int | None]) -> bool:
    return error.error in {DIED, NOT_STARTED, SILENT} or error.exit_code in passing


def replaced_before(subject: Subject, current: Service) -> tuple[Service, ...]:
    """Return the services that were lost and replaced in the place of ``current``, in order."""
    place = (current.role, current.index, current.attempt)
    return tuple(
        service
        for failure in subject.learner_failures
        if failure.is_replaced
        and (service := subject.service(failure.instance)) is not None
        and (service.role, service.index, service.attempt) == place
    )


def learner_explains_it(project: Project) -> bool:
    """Return whether the project failed for lack of learners and now knows why they left."""
    error = project.error
    return (
        project.stopped_in is Stage.TRAINING
        and error is not None
        and error.exit_code == ExitCode.TOO_FEW_LEARNERS
        and any(loss.error.exit_code in _OWN_FAULT for loss in project.learner_failures)
    )


def first_cause(failures: tuple[LearnerFailed, ...], later: ProjectError | None) -> ProjectError:
    """Return the failure that the others follow from.

    A learner's own fault comes first, then a loss that was not replaced; but ``later`` goes before
    all of them if it is more than "too few learners".
    """
    if later is not None and not (failures and later.exit_code == ExitCode.TOO_FEW_LEARNERS):
        return later
    own_faults = [loss.error for loss in failures if loss.error.exit_code in _OWN_FAULT]
    for_good = [loss.error for loss in failures if not loss.is_replaced]
    return (own_faults or for_good or [loss.error for loss in failures])[0]


def cause_of_cluster(project: Project, cluster: str) -> ProjectError:
    """Return why a lost cluster was lost."""
    own = {service.instance for service in project.services if service.cluster == cluster}
    failures = (failure for failure in project.learner_failures if failure.instance in own)
    return first_cause(tuple(failures), None)


def _clusters(project: Project) -> frozenset[str]:
    return frozenset(
        service.cluster
        for service in project.services
        if service.role is Role.CLUSTER_AGGREGATOR and service.attempt == project.attempt
    )


def _left(project: Project, role: Role) -> list[Service]:
    """Return a service for each place of ``role`` that was not lost for good."""
    for_good = {loss.instance for loss in project.learner_failures if not loss.is_replaced}
    services = [service for service in project.services if service.role is role]
    places = {service.index: service for service in services if service.attempt == project.attempt}
    empty = {service.index for service in services if service.instance in for_good}
    return [service for index, service in places.items() if index not in empty]
