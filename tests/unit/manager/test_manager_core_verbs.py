"""Requests for an existing project: cancel, retry, delete, and all at once."""

import pytest

from flops_contracts.events import Kind
from flops_contracts.roles import Role, Stage
from flops_manager.domain.deployments import observatory
from flops_manager.domain.errors import IllegalTransitionError, SubjectNotFoundError
from support.manager_core import (
    ADMIN,
    ANNA,
    OBSERVATORY,
    SERVING,
    TRAINED,
    a_failure,
    a_mock_sla,
    an_event,
)
from support.waiting import until


def test_cancel_stops_everything_and_retry_goes_on_with_what_is_there(core):
    project_id, _, _ = core.reach_training()

    core.app.projects.cancel(project_id, ANNA)
    until(lambda: core.running() == OBSERVATORY, what="all actors are gone")
    core.app.projects.retry(project_id, ANNA)

    aggregator = core.until_running(project_id, Role.AGGREGATOR)[0]
    assert core.project(project_id).stage is Stage.TRAINING
    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)
    core.until_stage(project_id, Stage.BUILDING_MODEL)


def test_a_retry_brings_a_lost_tracking_server_back(core):
    project_id, aggregator, _ = core.reach_training()
    (lost,) = [name for name in core.orchestrator.running() if name.startswith("trk")]
    core.orchestrator.undeploy(None, lost)
    core.say(project_id, aggregator, Kind.FAILED, a_failure("MLflow is away", 33))
    core.until_stage(project_id, Stage.FAILED)

    core.app.projects.retry(project_id, ANNA)

    state = until(lambda: core.orchestrator.states(observatory("anna")).get(lost))
    until(lambda: core.project(project_id).service(lost).job_id == state.job_id)


def test_what_an_earlier_attempt_still_says_is_dropped(core):
    project_id, aggregator, _ = core.reach_training()
    late = an_event(core.project(project_id), aggregator, Kind.TRAINED, TRAINED)
    core.app.projects.cancel(project_id, ANNA)
    core.app.projects.retry(project_id, ANNA)
    core.until_running(project_id, Role.AGGREGATOR)

    core.bus.say(late)

    assert core.project(project_id).stage is Stage.TRAINING


def test_cancelling_twice_is_fine_and_cancelling_the_completed_is_not(core):
    cancelled = core.submit()
    core.app.projects.cancel(cancelled, ANNA)
    completed, aggregator, _ = core.reach_training(steps=())
    core.say(completed, aggregator, Kind.TRAINED, TRAINED)

    assert core.app.projects.cancel(cancelled, ANNA).stage is Stage.CANCELLED
    with pytest.raises(IllegalTransitionError):
        core.app.projects.cancel(completed, ANNA)


def test_deleting_removes_the_served_model_the_observer_and_the_project(core):
    project_id, server = core.reach_serving()
    core.say(project_id, server, Kind.MODEL_SERVING, SERVING)
    core.until_stage(project_id, Stage.COMPLETED)

    core.app.projects.delete(project_id, ANNA)

    with pytest.raises(SubjectNotFoundError):
        core.project(project_id)
    until(lambda: core.running() == {"trk"}, what="only the customer's tracking server is left")
    until(lambda: not core.adapters.history.after(project_id, 0, 10), what="history is gone")
    assert f"proj{project_id}" not in {
        application.name for application in core.orchestrator.applications
    }


def test_what_is_in_mlflow_is_deleted_only_if_asked_for(core):
    without_runs, _, _ = core.reach_training()
    with_runs, _, _ = core.reach_training()

    core.app.projects.delete(without_runs, ANNA)
    core.app.projects.delete(with_runs, ANNA, with_runs=True)

    until(lambda: not core.adapters.projects.busy(), what="both are gone")
    assert core.runs.forgotten == [f"mnist-sklearn-{with_runs}"]


def test_a_reset_deletes_all_projects_and_mocks(core):
    core.submit()
    core.app.mocks.submit(a_mock_sla(), ANNA)

    removed = core.app.database.reset(ADMIN)

    assert (removed.projects, removed.mocks) == (1, 1)
    until(lambda: core.running() <= {"trk"}, what="everything is gone")
