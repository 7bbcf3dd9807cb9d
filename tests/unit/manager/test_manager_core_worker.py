"""A project's whole life over memory adapters: what the worker does, and when it fails."""

from dataclasses import replace

import pytest

from flops_contracts.events import Kind, Notice, Progress
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import MockStage, Role, Stage
from flops_manager.domain.commands import Undeploy
from flops_manager.domain.deployments import observatory
from flops_manager.domain.errors import (
    IllegalTransitionError,
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    ProjectNotFoundError,
)
from flops_manager.domain.observations import Limits
from flops_manager.domain.states import Health
from flops_manager.ports.stores import Pending
from flops_manager.usecases.watch import SETTLING_SECONDS
from support.manager_core import (
    ACTORS_BUILT,
    ADMIN,
    ANNA,
    BUILD,
    MODEL_BUILT,
    PROVIDED,
    SERVING,
    TRAINED,
    Core,
    a_failure,
    a_landscape,
    a_mock_sla,
    a_node,
    a_round,
    an_event,
)
from support.waiting import until

OBSERVATORY = {"obs", "trk"}


def test_only_a_worker_that_runs_is_well():
    core = Core()

    with core.working():
        until(lambda: core.app.worker.is_well, what="the worker is well")
        other = core.another("worker-2").worker

        assert not other.is_well


@pytest.fixture
def core():
    core = Core()
    with core.working():
        yield core


def test_a_project_is_trained_and_served(core):
    project_id, server = core.reach_serving()

    core.say(project_id, server, Kind.MODEL_SERVING, SERVING)

    project = core.until_stage(project_id, Stage.COMPLETED)
    assert project.model_address.startswith("http://192.0.2.")
    assert project.model_address.endswith(":8080")
    assert core.running() == {*OBSERVATORY, "mdl"}


def test_the_stages_are_told_in_order(core):
    project_id, server = core.reach_serving()
    core.say(project_id, server, Kind.MODEL_SERVING, SERVING)
    core.until_stage(project_id, Stage.COMPLETED)

    history = until(
        lambda: (
            [
                one.event.payload.stage
                for one in core.app.projects.events(project_id, ANNA)
                if one.event.kind is Kind.STAGE_CHANGED
            ][5:]
            and core.app.projects.events(project_id, ANNA)
        )
    )

    told = [one.event.payload.stage for one in history if one.event.kind is Kind.STAGE_CHANGED]
    assert told == [
        "submitted",
        "building_actors",
        "training",
        "building_model",
        "serving",
        "completed",
    ]
    assert [one.payload.stage for one in core.bus.published] == told


def test_a_project_without_steps_ends_with_training(core):
    project_id, aggregator, _ = core.reach_training(steps=())

    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)

    core.until_stage(project_id, Stage.COMPLETED)
    until(lambda: core.running() == OBSERVATORY, what="actors are gone")


def test_a_project_may_want_an_image_only(core):
    project_id, aggregator, _ = core.reach_training(steps=(BUILD,))
    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)
    builder = core.until_running(project_id, Role.BUILDER)[0]

    core.say(project_id, builder, Kind.MODEL_BUILT, MODEL_BUILT)

    assert core.until_stage(project_id, Stage.COMPLETED).model_image == MODEL_BUILT.image
    until(lambda: core.running() == OBSERVATORY, what="the builder is gone")


def test_a_result_is_confirmed_and_a_repeated_one_changes_nothing(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    event = core.say(project_id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
    core.until_stage(project_id, Stage.TRAINING)

    core.bus.say(event)

    assert core.bus.acknowledged == [event.event_id, event.event_id]
    stored = [one.event.event_id for one in core.app.projects.events(project_id, ANNA)]
    assert stored.count(event.event_id) == 1


def test_a_result_of_a_deleted_project_is_confirmed_so_that_its_actor_can_end(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    event = an_event(core.project(project_id), builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
    core.app.projects.delete(project_id, ANNA)
    until(lambda: not core.adapters.projects.busy(), what="it is deleted")

    core.bus.say(event)

    assert core.bus.acknowledged == [event.event_id]


def test_rounds_progress_and_notices_are_part_of_the_project(core):
    project_id, aggregator, _ = core.reach_training()

    core.say(project_id, aggregator, Kind.ROUND_COMPLETED, a_round(2))
    core.say(project_id, aggregator, Kind.ROUND_COMPLETED, a_round(1))
    core.say(project_id, aggregator, Kind.ROUND_COMPLETED, a_round(1))
    core.say(project_id, aggregator, Kind.PROGRESS, Progress("storing the model"))

    project = core.project(project_id)
    assert [one.round for one in project.rounds] == [1, 2]
    assert project.progress.message == "storing the model"


def test_a_failed_build_fails_the_project_with_the_builders_reason(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]

    core.say(
        project_id,
        builder,
        Kind.FAILED,
        a_failure("no model_manager.py", ExitCode.REPOSITORY_INVALID, where="model_manager.py"),
    )

    error = core.until_stage(project_id, Stage.FAILED).error
    assert (error.reason, error.where, error.role) == (
        "no model_manager.py",
        "model_manager.py",
        Role.BUILDER,
    )
    until(lambda: core.running() == OBSERVATORY, what="the builder is gone")


def test_no_data_with_the_tag_fails_before_anything_is_built(core):
    project_id = core.submit(tags=("cifar10",))

    error = core.until_stage(project_id, Stage.FAILED).error

    assert "'cifar10'" in error.reason
    assert "'mnist' (4500 rows on local/node-1)" in error.reason
    assert "bld" not in {one.name[:3] for one in core.orchestrator.deployed}


def test_a_lost_learner_costs_nothing_while_the_minima_can_be_met(core):
    project_id, _, (lost, kept) = core.reach_training(learners=2, minimum=1)

    core.say(project_id, lost, Kind.FAILED, a_failure("its disk is full"))

    until(lambda: lost not in core.orchestrator.running(), what="the lost learner is removed")
    assert core.project(project_id).stage is Stage.TRAINING
    assert kept in core.orchestrator.running()


def test_too_few_learners_fail_the_project_with_the_first_learners_reason(core):
    project_id, aggregator, (first, _second) = core.reach_training(learners=2, minimum=2)

    core.say(
        project_id,
        first,
        Kind.FAILED,
        a_failure("fit_model raised ValueError", ExitCode.USER_CODE_FAILED),
    )
    core.say(project_id, aggregator, Kind.FAILED, a_failure("too few", ExitCode.TOO_FEW_LEARNERS))

    assert core.until_stage(project_id, Stage.FAILED).error.reason == "fit_model raised ValueError"
    until(lambda: core.running() == OBSERVATORY, what="all actors are gone")


def test_a_learner_that_speaks_after_its_aggregator_still_is_the_cause(core):
    project_id, aggregator, (first, _) = core.reach_training(learners=2, minimum=2)
    late = an_event(
        core.project(project_id),
        first,
        Kind.FAILED,
        a_failure("fit_model raised ValueError", ExitCode.USER_CODE_FAILED),
    )

    core.say(project_id, aggregator, Kind.FAILED, a_failure("too few", ExitCode.TOO_FEW_LEARNERS))
    core.until_stage(project_id, Stage.FAILED)
    core.bus.say(late)

    assert core.project(project_id).error.reason == "fit_model raised ValueError"


def test_a_failed_aggregator_fails_the_project(core):
    project_id, aggregator, _ = core.reach_training()

    core.say(project_id, aggregator, Kind.FAILED, a_failure("MLflow is away", 33))

    assert core.until_stage(project_id, Stage.FAILED).error.reason == "MLflow is away"


def test_a_service_that_dies_without_a_word_is_found(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]

    core.orchestrator.change_state(
        builder, health=Health.DEAD, status="DEAD", detail="exit code 137", logs="a\nKilled\n"
    )

    error = core.until_stage(project_id, Stage.FAILED).error
    assert "DEAD (exit code 137)" in error.reason
    assert error.last_lines == ("a", "Killed")
    until(lambda: core.running() == OBSERVATORY, what="the builder is gone")


def test_a_service_that_ends_well_without_a_result_is_found(core):
    project_id, aggregator, (learner, _) = core.reach_training()

    core.orchestrator.change_state(learner, health=Health.ENDED, status="COMPLETED")
    core.orchestrator.change_state(aggregator, health=Health.ENDED, status="COMPLETED")

    error = core.until_stage(project_id, Stage.FAILED).error
    assert (error.instance, "without a result" in error.reason) == (aggregator, True)


def test_a_provider_that_ends_well_without_a_result_is_found(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    service = until(
        lambda: (
            (found := core.app.mocks.get(mock.id, ANNA)).services
            and found.services[0].job_id
            and found.services[0]
        )
    )

    core.orchestrator.change_state(service.instance, health=Health.ENDED, status="COMPLETED")

    until(lambda: core.app.mocks.get(mock.id, ANNA).stage is MockStage.FAILED)


def test_a_service_without_capacity_fails_the_project(core):
    project_id, _, (first, _second) = core.reach_training(learners=2, minimum=2)

    core.orchestrator.change_state(
        first, health=Health.UNPLACEABLE, status="NoActiveClusterWithCapacity"
    )

    assert "NoActiveClusterWithCapacity" in core.until_stage(project_id, Stage.FAILED).error.reason


def test_a_one_shot_that_is_restarted_again_and_again_fails(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]

    core.say(project_id, builder, Kind.STARTED)
    core.say(project_id, builder, Kind.STARTED)
    core.say(project_id, builder, Kind.STARTED)
    core.say(project_id, builder, Kind.STARTED)

    assert "restarted 3 times" in core.until_stage(project_id, Stage.FAILED).error.reason


def test_a_stage_that_takes_too_long_fails():
    core = Core(limits=Limits(building_seconds=60))
    with core.working():
        project_id = core.submit()
        builder = core.until_running(project_id, Role.BUILDER)[0]
        core.say(project_id, builder, Kind.PROGRESS, Progress("resolving dependencies"))

        core.clock.pass_seconds(61)

        reason = core.until_stage(project_id, Stage.FAILED).error.reason
        assert reason.startswith("The stage building_actors did not end within 60 s.")
        assert "resolving dependencies" in reason


def test_a_scheduler_that_never_answers_is_noticed():
    core = Core(limits=Limits(scheduling_seconds=30))
    with core.working():
        project_id = core.submit()
        builder = core.until_running(project_id, Role.BUILDER)[0]
        core.orchestrator.change_state(builder, health=Health.WAITING, status="CLUSTER_SCHEDULED")

        core.clock.pass_seconds(31)

        assert (
            "CLUSTER_SCHEDULED after 31 s"
            in core.until_stage(project_id, Stage.FAILED).error.reason
        )


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

    found = until(lambda: core.orchestrator.states(observatory("anna")).get(lost))
    until(lambda: core.project(project_id).service(lost).job_id == found.job_id)


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

    with pytest.raises(ProjectNotFoundError):
        core.project(project_id)
    until(lambda: core.running() == {"trk"}, what="only the customer's tracking server is left")
    until(lambda: not core.adapters.history.after(project_id, 0, 10), what="history is gone")
    assert f"proj{project_id}" not in {one.name for one in core.orchestrator.applications}


def test_an_orchestrator_that_is_away_for_a_while_costs_nothing(core):
    core.orchestrator.failures.extend([OrchestratorUnavailableError("away")] * 3)

    project_id = core.submit()

    core.until_running(project_id, Role.BUILDER)


def test_an_orchestrator_that_refuses_fails_the_project_with_its_reason(core):
    project_id, _, _ = core.reach_training(steps=())
    core.orchestrator.landscape = ()

    again = core.submit()

    error = core.until_stage(again, Stage.FAILED).error
    assert error.reason == "The orchestrator has no active cluster with a worker."
    assert core.project(project_id).stage is Stage.TRAINING


def test_a_taken_service_address_is_replaced_by_the_next(core):
    first, _, _ = core.reach_training()
    taken = core.project(first).present(Role.AGGREGATOR)[0].address
    core.app.projects.cancel(first, ANNA)
    until(lambda: core.running() == OBSERVATORY, what="the aggregator is gone")
    other = Core()
    other.orchestrator.taken_addresses.add(taken)

    assert taken.startswith("10.30.")
    with other.working():
        project_id, aggregator, _ = other.reach_training()
    assert other.orchestrator.running()[aggregator].address not in {"", taken}
    assert other.project(project_id).present(Role.AGGREGATOR)[0].address != taken


def test_a_mock_is_provided_and_its_service_removed(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    running = until(
        lambda: (
            (found := core.app.mocks.get(mock.id, ANNA)).services
            and found.services[0].job_id
            and found
        )
    )

    core.bus.say(
        an_event(running, running.services[0].instance, Kind.DATA_PROVIDED, PROVIDED), is_mock=True
    )

    done = until(
        lambda: (found := core.app.mocks.get(mock.id, ANNA)).stage is MockStage.COMPLETED and found
    )
    assert done.fragments == PROVIDED.fragments
    until(lambda: core.running() == set(), what="the provider is gone")


def test_a_mock_that_fails_says_why(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    running = until(
        lambda: (
            (found := core.app.mocks.get(mock.id, ANNA)).services
            and found.services[0].job_id
            and found
        )
    )

    core.bus.say(
        an_event(
            running, running.services[0].instance, Kind.FAILED, a_failure("no such dataset", 22)
        ),
        is_mock=True,
    )

    failed = until(
        lambda: (found := core.app.mocks.get(mock.id, ANNA)).stage is MockStage.FAILED and found
    )
    assert failed.error.reason == "no such dataset"
    until(lambda: core.running() == set(), what="the provider is gone")


def test_a_second_worker_waits_until_the_first_is_gone(core):
    second = core.another("worker-2")
    core.app.worker.stop()

    core.clock.pass_seconds(1)

    with core.working(second):
        project_id = core.submit()
        core.until_running(project_id, Role.BUILDER)


def test_a_reset_deletes_all_projects_and_mocks(core):
    core.submit()
    core.app.mocks.submit(a_mock_sla(), ANNA)

    removed = core.app.database.reset(ADMIN)

    assert (removed.projects, removed.mocks) == (1, 1)
    until(lambda: core.running() <= {"trk"}, what="everything is gone")


def test_learners_are_spread_and_told_their_share():
    nodes = (a_node("node-1"), a_node("node-2"))
    core = Core(
        landscape=a_landscape(nodes, {"node-1": {"mnist": 3000}, "node-2": {"mnist": 1500}})
    )
    with core.working():
        core.reach_training(learners=3)

    told = sorted(
        (one.node, one.environment["FLOPS_LEARNER_INDEX"], one.environment["FLOPS_NODE_LEARNERS"])
        for name, one in core.orchestrator.running().items()
        if name.startswith("lrn")
    )
    assert told == [("node-1", "0", "2"), ("node-1", "1", "2"), ("node-2", "0", "1")]


def test_an_unexpected_refusal_of_the_orchestrator_is_told(core):
    project_id = core.submit()
    core.until_running(project_id, Role.BUILDER)
    core.app.projects.cancel(project_id, ANNA)
    until(lambda: core.running() == OBSERVATORY)
    core.orchestrator.nodes = lambda: (_ for _ in ()).throw(OrchestratorRefusedError("no"))

    again = core.submit()

    assert core.until_stage(again, Stage.FAILED).error.reason == "no"


def test_a_result_that_came_while_nobody_listened_is_heard_later():
    core = Core()
    with core.working():
        project_id = core.submit()
        builder = core.until_running(project_id, Role.BUILDER)[0]
    core.say(project_id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)

    with core.working(core.another("worker-2")):
        core.until_stage(project_id, Stage.TRAINING)


def test_time_in_which_no_worker_ran_does_not_count():
    core = Core(limits=Limits(building_seconds=60))
    with core.working():
        project_id = core.submit()
        builder = core.until_running(project_id, Role.BUILDER)[0]
    core.clock.pass_seconds(3600)

    with core.working(core.another("worker-2")):
        core.until_looked_at()
        core.say(project_id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
        core.until_stage(project_id, Stage.TRAINING)


def test_cleaning_up_is_never_given_up(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    record = core.adapters.projects.get(project_id)
    undeploy = Pending(Undeploy(Role.BUILDER, Stage.BUILDING_ACTORS), failures=100_000)
    core.orchestrator.failures.append(OrchestratorUnavailableError("away"))
    core.adapters.projects.save(replace(record, todo=(undeploy,)))

    core.app.worker.wake()

    until(lambda: builder not in core.orchestrator.running(), what="the builder is gone")


def test_a_worker_that_stops_leaves_the_rest_to_the_next(core):
    stop, nodes = core.app.worker.stop, core.orchestrator.nodes

    def nodes_while_stopping():
        stop()
        return nodes()

    core.orchestrator.nodes = nodes_while_stopping
    project_id = core.submit()

    until(lambda: core.project(project_id).stage is Stage.BUILDING_ACTORS)
    until(lambda: not core.app.worker.is_active)
    assert core.adapters.projects.busy() == [project_id]


def test_a_bug_while_watching_is_logged(core, caplog):
    core.submit()
    core.orchestrator.states = lambda _: 1 / 0

    until(lambda: "ZeroDivisionError" in caplog.text, what="the bug is in the log")


def test_what_is_said_while_a_project_is_removed_is_forgotten_with_it(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    late = an_event(core.project(project_id), builder, Kind.NOTICE, Notice("late"))
    remove = core.adapters.projects.remove

    def remove_after_a_late_word(subject_id):
        core.bus.say(late)
        remove(subject_id)

    core.adapters.projects.remove = remove_after_a_late_word

    core.app.projects.delete(project_id, ANNA)

    until(lambda: not core.adapters.projects.busy(), what="it is deleted")
    until(lambda: not core.adapters.history.after(project_id, 0, 9), what="its history is gone")


def test_the_observer_of_a_project_that_failed_at_once_is_still_looked_at(core):
    project_id = core.submit(tags=("cifar10",))
    observer = core.until_stage(project_id, Stage.FAILED).present(Role.OBSERVER)[0].instance
    core.orchestrator.change_state(observer, status="NODE_SCHEDULED")

    until(lambda: core.project(project_id).service(observer).status == "NODE_SCHEDULED")
    core.clock.pass_seconds(SETTLING_SECONDS + 1)
    core.until_looked_at()
    core.orchestrator.change_state(observer, status="RUNNING")
    core.until_looked_at()

    assert core.project(project_id).service(observer).status == "NODE_SCHEDULED"


def test_services_are_shown_as_the_orchestrator_sees_them(core):
    project_id = core.submit()
    observer = core.until_running(project_id, Role.OBSERVER)[0]

    until(lambda: core.project(project_id).service(observer).status == "RUNNING")
    core.orchestrator.change_state(observer, health=Health.DEAD, status="DEAD")

    until(lambda: core.project(project_id).service(observer).status == "DEAD")
    assert core.project(project_id).stage is not Stage.FAILED


def test_a_bug_in_a_step_fails_the_project_and_says_so(core):
    core.orchestrator.nodes = lambda: 1 / 0

    project_id = core.submit()

    error = core.until_stage(project_id, Stage.FAILED).error
    assert "ZeroDivisionError" in error.reason
    assert "bug" in error.hint
