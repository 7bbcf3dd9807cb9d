"""The worker over memory adapters: its messages and commands, its lease, outages."""

from dataclasses import replace

from flops_contracts.events import Kind, Notice
from flops_contracts.roles import Role, Stage
from flops_manager.domain.commands import Undeploy
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError
from flops_manager.ports.stores import Pending
from support.manager_core import ACTORS_BUILT, ANNA, OBSERVATORY, Core, an_event
from support.waiting import until


def test_only_a_worker_that_runs_is_well():
    core = Core()

    with core.working():
        until(lambda: core.app.worker.is_well, what="the worker is well")
        other = core.another("worker-2").worker

        assert not other.is_well


def test_a_result_is_confirmed_and_a_repeated_one_changes_nothing(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    event = core.say(project_id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
    core.until_stage(project_id, Stage.TRAINING)

    core.bus.say(event)

    assert core.bus.acknowledged == [event.event_id, event.event_id]
    stored = [event.document["event_id"] for event in core.app.projects.events(project_id, ANNA)]
    assert stored.count(event.event_id) == 1


def test_a_result_of_a_deleted_project_is_confirmed_so_that_its_actor_can_end(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    event = an_event(core.project(project_id), builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
    core.app.projects.delete(project_id, ANNA)
    until(lambda: not core.adapters.projects.busy(), what="it is deleted")

    core.bus.say(event)

    assert core.bus.acknowledged == [event.event_id]


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


def test_a_second_worker_waits_until_the_first_is_gone(core):
    second = core.another("worker-2")
    core.app.worker.stop()

    core.clock.pass_seconds(1)

    with core.working(second):
        project_id = core.submit()
        core.until_running(project_id, Role.BUILDER)


def test_an_unexpected_refusal_of_the_orchestrator_is_reported(core):
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


def test_a_bug_in_a_step_fails_the_project_and_says_so(core):
    core.orchestrator.nodes = lambda: 1 / 0

    project_id = core.submit()

    error = core.until_stage(project_id, Stage.FAILED).error
    assert "ZeroDivisionError" in error.reason
    assert "bug" in error.hint
