"""Builders, aggregators and model servers that die or fall silent are redeployed, a few times."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flops_contracts.events import Heartbeat, Kind
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role, Stage
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.learners import MAX_REPLACEMENTS
from flops_manager.domain.lifecycle import PROJECTS
from flops_manager.domain.observations import silence
from flops_manager.domain.states import Health, ServiceState
from flops_manager.domain.subjects import Service
from flops_manager.usecases.watch import Watch
from support.manager_core import (
    ACTORS_BUILT,
    NOW,
    OBSERVATORY,
    TRAINED,
    Core,
    a_failure,
)
from support.waiting import until

KILLED = {"health": Health.DEAD, "status": "DEAD", "detail": "exit code 137"}
BEAT = Heartbeat("fit 2")
RUNNING = ServiceState("job", Health.RUNNING, "RUNNING")


def a_watch_of(core):
    adapters = core.adapters
    return Watch(
        [(PROJECTS, adapters.projects)],
        core.orchestrator,
        core.images,
        core.bus,
        adapters.heartbeats,
        core.limits,
        core.clock,
    )


def unseen(core, project_id, name):
    """Return the record of a project with a service that never ran and never sent a message."""
    record = core.adapters.projects.get(project_id)
    service = replace(record.subject.service(name), running_since=None, last_heartbeat=None)
    return replace(record, subject=record.subject.with_service(service))


def until_deployed(core, name, times):
    """Wait until the service was deployed so often, and is on record as deployed."""

    def is_there():
        names = [deployment.name for deployment in core.orchestrator.deployed]
        project = next(p for p in core.adapters.projects.list(None, None, 0, 9)[0])
        return names.count(name) == times and project.service(name).job_id

    until(is_there, what=f"{name} is deployed {times} times")


def test_a_builder_that_is_killed_is_redeployed_and_the_project_goes_on(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]

    core.orchestrator.change_state(builder, **KILLED)

    until_deployed(core, builder, 2)
    core.say(project_id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
    project = core.until_stage(project_id, Stage.TRAINING)
    assert "The builder is started again" in project.notices[-1]
    assert project.error is None


def test_an_aggregator_that_is_killed_comes_back_under_its_name_and_address(core):
    project_id, aggregator, learners = core.reach_training(steps=())
    before = core.orchestrator.running()[aggregator]

    core.orchestrator.change_state(aggregator, **KILLED)

    until_deployed(core, aggregator, 2)
    assert core.orchestrator.running()[aggregator] == before
    assert set(learners) <= set(core.orchestrator.running())
    assert [deployment.name for deployment in core.orchestrator.deployed].count(learners[0]) == 1
    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)
    core.until_stage(project_id, Stage.COMPLETED)


def test_it_is_redeployed_a_few_times_and_then_fails_the_project_with_that_cause(core):
    project_id, aggregator, _ = core.reach_training()

    core.orchestrator.destine(aggregator, **KILLED, logs="allocating\nKilled\n")

    error = core.until_stage(project_id, Stage.FAILED).error
    names = [deployment.name for deployment in core.orchestrator.deployed]
    assert names.count(aggregator) == 1 + MAX_REPLACEMENTS
    assert (error.role, error.instance, error.stage) == (Role.AGGREGATOR, aggregator, "training")
    assert "exit code 137" in error.reason
    assert error.last_lines == ("allocating", "Killed")
    until(lambda: core.running() == OBSERVATORY, what="nothing is left")


def test_what_the_one_before_said_of_itself_is_not_said_of_the_new_one(core):
    project_id, aggregator, _ = core.reach_training()
    core.say(project_id, aggregator, Kind.HEARTBEAT, Heartbeat("training", 2, 300.0, 40))
    until(lambda: core.project(project_id).service(aggregator).round == 2, what="it is heard")
    core.clock.pass_seconds(1)

    core.say(
        project_id, aggregator, Kind.FAILED, a_failure("no broker", ExitCode.BROKER_UNREACHABLE)
    )

    until_deployed(core, aggregator, 2)
    new = core.project(project_id).service(aggregator)
    assert (new.state, new.round, new.memory_mb, new.rows) == ("", None, None, None)


def test_a_word_of_a_loss_that_comes_twice_counts_once(core):
    project_id, aggregator, _ = core.reach_training()
    gone = a_failure("no broker", ExitCode.BROKER_UNREACHABLE)
    event = core.say(project_id, aggregator, Kind.FAILED, gone)
    until_deployed(core, aggregator, 2)

    core.bus.say(event)

    until(lambda: not core.adapters.projects.busy(), what="nothing is left to do")
    assert core.project(project_id).service(aggregator).redeployed == 1


def test_a_failure_that_it_reports_itself_is_not_tried_again(core):
    project_id, aggregator, _ = core.reach_training()

    core.say(project_id, aggregator, Kind.FAILED, a_failure("no model", ExitCode.MODEL_UNUSABLE))

    assert core.until_stage(project_id, Stage.FAILED).error.reason == "no model"


def test_a_silent_aggregator_is_redeployed_after_three_misses(core):
    project_id, aggregator, _ = core.reach_training()
    core.say(project_id, aggregator, Kind.HEARTBEAT, BEAT)

    core.clock.pass_seconds(30)
    core.until_looked_at()
    assert core.project(project_id).service(aggregator).redeployed == 0
    core.clock.pass_seconds(1)

    until_deployed(core, aggregator, 2)
    assert core.project(project_id).notices[-1] == (
        f"The aggregator is started again: No answer from the aggregator {aggregator} for 31 s. "
        "Its last reported state: fit 2."
    )


def test_a_silent_learner_costs_a_learner_and_another_takes_its_place(core):
    project_id, aggregator, (first, _) = core.reach_training()
    core.say(project_id, first, Kind.HEARTBEAT, BEAT)

    core.clock.pass_seconds(31)
    core.say(project_id, aggregator, Kind.HEARTBEAT, BEAT)

    until(lambda: first not in core.orchestrator.running(), what="the frozen one is removed")
    (failure,) = core.project(project_id).learner_failures
    assert failure.error.reason.startswith(f"No answer from the learner {first} for 31 s.")
    assert (failure.error.node, failure.is_replaced) == ("node-1", True)
    assert core.project(project_id).stage is Stage.TRAINING


def test_who_delivered_its_result_may_be_silent(core):
    project_id, _, (first, _) = core.reach_training()
    core.say(project_id, first, Kind.FINISHED)

    core.clock.pass_seconds(100)
    core.until_looked_at()

    assert core.project(project_id).learner_failures == ()


@pytest.mark.parametrize("role", [Role.BUILDER])
def test_an_actor_that_never_said_a_word_is_noticed_later(role):
    core = Core(limits=Limits(starting_seconds=60))
    with core.working():
        project_id = core.submit()
        builder = core.until_running(project_id, role)[0]
        core.until_looked_at()

        core.clock.pass_seconds(61)

        until_deployed(core, builder, 2)


def test_an_image_that_takes_long_to_fetch_takes_nothing_from_the_time_to_the_first_word():
    core = Core(limits=Limits(scheduling_seconds=900, starting_seconds=60))
    with core.working():
        project_id = core.submit()
        builder = core.until_running(project_id, Role.BUILDER)[0]
        core.orchestrator.change_state(builder, health=Health.WAITING, status="NODE_SCHEDULED")
        core.until_looked_at()
        core.adapters.projects.save(unseen(core, project_id, builder))
        core.clock.pass_seconds(600)

        core.orchestrator.change_state(builder, health=Health.RUNNING, status="RUNNING")

        core.until_looked_at()
        assert core.project(project_id).service(builder).redeployed == 0


def test_nobody_is_silent_while_the_broker_is_away(core):
    project_id, aggregator, _ = core.reach_training()
    core.say(project_id, aggregator, Kind.HEARTBEAT, BEAT)
    core.bus.hearing_since = lambda: None

    core.clock.pass_seconds(300)
    core.until_looked_at()

    assert core.project(project_id).service(aggregator).redeployed == 0


def test_late_messages_of_a_predecessor_do_not_show_that_its_successor_has_begun():
    service = Service(
        Role.AGGREGATOR,
        "aggregator",
        Stage.TRAINING,
        deployed_at=NOW,
        last_heartbeat=NOW - timedelta(seconds=1),
    )
    later = NOW + timedelta(seconds=60)

    assert silence(service, RUNNING, Limits(starting_seconds=90), NOW, later) is None


def test_states_from_before_a_deployment_are_not_applied_to_it():
    core = Core()
    with core.working():
        project_id, aggregator, _ = core.reach_training()
    before = core.project(project_id)

    def say_late(_application):
        core.clock.pass_seconds(30)
        late = core.project(project_id).service(aggregator)
        record = core.adapters.projects.get(project_id)
        deployed = replace(late, deployed_at=core.clock() - timedelta(seconds=10))
        core.adapters.projects.save(replace(record, subject=before.with_service(deployed)))
        return {
            service.instance: RUNNING
            for service in before.services
            if service.instance != aggregator
        }

    core.orchestrator.states = say_late
    a_watch_of(core).look()

    assert core.project(project_id).service(aggregator).redeployed == 0
