"""Failures that end a project, failures that do not, and their causes."""

import pytest

from flops_contracts.events import Kind, Progress
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role, Stage
from flops_manager.adapters.oakestra_documents import state_from_document
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.states import Health
from support.manager_core import OBSERVATORY, TRAINED, Core, a_failure, an_event
from support.waiting import until


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
    assert "bld" not in {item.name[:3] for item in core.orchestrator.deployed}


def test_a_lost_learner_costs_nothing_while_the_minima_can_be_met(core):
    project_id, _, (lost, other) = core.reach_training(learners=2, minimum=1)

    core.say(project_id, lost, Kind.FAILED, a_failure("its disk is full"))

    until(lambda: lost not in core.orchestrator.running(), what="the lost learner is removed")
    assert core.project(project_id).stage is Stage.TRAINING
    assert other in core.orchestrator.running()


def test_a_learner_that_dies_is_started_again_at_most_twice(core):
    project_id, _, (lost, _) = core.reach_training(learners=2, minimum=2)

    for _ in range(2):
        core.orchestrator.change_state(lost, health=Health.DEAD, status="DEAD")
        lost = until(lambda gone=lost: the_other_first_learner(core, project_id, gone))
    core.orchestrator.change_state(lost, health=Health.DEAD, status="DEAD")

    error = core.until_stage(project_id, Stage.FAILED).error
    assert error.instance == lost
    until(lambda: core.running() == OBSERVATORY, what="all actors are gone")


def the_other_first_learner(core, project_id, gone):
    """Return the name of the first learner's replacement."""
    first_learners = [
        item for item in core.project(project_id).present(Role.LEARNER) if item.index == 0
    ]
    names = [item.instance for item in first_learners if item.job_id and item.instance != gone]
    return names[0] if names else None


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

    core.orchestrator.destine(
        builder, health=Health.DEAD, status="DEAD", detail="exit code 137", logs="a\nKilled\n"
    )

    error = core.until_stage(project_id, Stage.FAILED).error
    assert "DEAD (exit code 137)" in error.reason
    assert error.last_lines == ("a", "Killed")
    until(lambda: core.running() == OBSERVATORY, what="the builder is gone")


@pytest.mark.parametrize("detail", ["Container is starting up", ""])
def test_where_a_root_does_not_say_how_a_service_ended_its_own_last_words_do(core, detail):
    """NodeEngine reports neither an exit code nor another detail than that of the start."""
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    instance = {
        "instance_number": 0,
        "status": "DEAD",
        "status_detail": detail,
        "logs": "resolving\nMemoryError: cannot allocate 4 GB\n\n",
    }
    state = state_from_document({"_id": "5", "instance_list": [instance]})

    core.orchestrator.destine(
        builder, health=state.health, status=state.status, detail=state.detail, logs=state.logs
    )

    error = core.until_stage(project_id, Stage.FAILED).error
    assert error.reason == (
        f"The builder {builder} ended without a result: DEAD. "
        "Its last line: MemoryError: cannot allocate 4 GB"
    )
    assert error.exit_code is None


def test_a_service_that_ends_well_without_a_result_is_found(core):
    project_id, aggregator, (learner, _) = core.reach_training()

    core.orchestrator.change_state(learner, health=Health.ENDED, status="COMPLETED")
    core.orchestrator.change_state(aggregator, health=Health.ENDED, status="COMPLETED")

    error = core.until_stage(project_id, Stage.FAILED).error
    assert (error.instance, "without a result" in error.reason) == (aggregator, True)


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


@pytest.mark.parametrize("role", [Role.TRACKING_SERVER, Role.OBSERVER])
def test_what_a_project_builds_on_is_deployed_again_when_the_root_has_forgotten_it(core, role):
    project_id, _, _ = core.reach_training()
    (before,) = core.project(project_id).present(role)
    deployment = core.orchestrator.running()[before.instance]
    core.clock.pass_seconds(60)

    core.orchestrator.undeploy(deployment.application, before.instance)

    def after():
        (service,) = core.project(project_id).present(role)
        return service if service.job_id not in {"", before.job_id} else None

    service = until(after, what=f"the {role} is deployed again")
    assert (service.address, service.port) == (before.address, before.port)
    assert core.orchestrator.running()[before.instance] == deployment
    assert core.project(project_id).stage is Stage.TRAINING


def test_what_a_finished_project_built_on_is_left_alone(core):
    project_id, aggregator, _ = core.reach_training(steps=())
    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)
    core.until_stage(project_id, Stage.COMPLETED)
    (observer,) = core.project(project_id).present(Role.OBSERVER)
    deployment = core.orchestrator.running()[observer.instance]
    core.clock.pass_seconds(60)

    core.orchestrator.undeploy(deployment.application, observer.instance)
    core.until_looked_at()

    assert observer.instance not in core.orchestrator.running()
