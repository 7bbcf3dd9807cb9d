"""Projects that do not fit wait for their turn, bounded, and show their position."""

from dataclasses import replace

import pytest

from flops_contracts.events import Heartbeat, Kind
from flops_contracts.roles import Role, Stage
from flops_manager.adapters.oakestra_documents import nodes_from_workers
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.errors import TooManyProjectsError, UnreadableRecordError
from flops_manager.domain.states import Health
from flops_manager.usecases.inbox import Inbox
from support.manager_core import (
    ACTORS_BUILT,
    ANNA,
    TRAINED,
    Core,
    a_landscape,
    a_node,
    a_sla,
    an_event,
)
from support.waiting import until

ONE_AT_ONCE = Limits(running_projects=1)


def finish(core, project_id):
    """Report the work of a project's actors as done."""
    builder = core.until_running(project_id, Role.BUILDER)[0]
    core.say(project_id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
    aggregator = core.until_running(project_id, Role.AGGREGATOR)[0]
    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)
    core.until_stage(project_id, Stage.COMPLETED)


def submitted(core, count):
    """Submit projects one after the other; return their ids."""
    ids = []
    for _ in range(count):
        core.clock.pass_seconds(1)
        ids.append(core.submit(steps=()))
    return ids


def until_waiting_at(core, project_id, position):
    text = f"position {position} of the queue"
    until(lambda: text in core.project(project_id).waiting, 20, what=text)


def test_who_comes_later_waits_and_says_at_which_position():
    core = Core(limits=ONE_AT_ONCE)
    with core.working():
        first, second, third = submitted(core, 3)
        core.until_stage(first, Stage.BUILDING_ACTORS)
        until_waiting_at(core, second, 1)
        until_waiting_at(core, third, 2)
        assert core.project(third).present(Role.OBSERVER)[0].job_id == ""

        finish(core, first)

        finish(core, second)
        assert core.project(second).waiting == ""
        finish(core, third)


def test_a_full_cluster_is_waited_for_while_projects_run_that_will_end():
    core = Core()
    with core.working():
        (first,) = submitted(core, 1)
        core.until_stage(first, Stage.BUILDING_ACTORS)
        core.orchestrator.landscape = (a_node(memory_mb=1000),)
        (second,) = submitted(core, 1)

        until_waiting_at(core, second, 1)

        assert "MB" in core.project(second).waiting
        core.orchestrator.landscape = (a_node(),)
        finish(core, second)


def test_a_project_that_fits_on_no_empty_node_fails_instead_of_holding_others_up():
    core = Core(landscape=a_landscape((a_node(memory_mb=4000),)))
    with core.working():
        (first,) = submitted(core, 1)
        core.until_stage(first, Stage.BUILDING_ACTORS)
        core.orchestrator.landscape = (
            replace(a_node(memory_mb=1000), total_memory_mb=4000, total_vcpus=4),
        )
        core.clock.pass_seconds(1)
        huge = core.submit(steps=(), resource_constraints={"memory": 8000})
        (third,) = submitted(core, 1)

        reason = core.until_stage(huge, Stage.FAILED).error.reason

        assert "8000 MB each, but the nodes with data have room for 0" in reason
        assert "when nothing runs there" in reason
        until_waiting_at(core, third, 1)


def test_a_project_waits_where_it_is_unknown_how_large_the_nodes_are():
    core = Core(landscape=a_landscape((a_node(memory_mb=4000),)))
    with core.working():
        (first,) = submitted(core, 1)
        core.until_stage(first, Stage.BUILDING_ACTORS)
        core.clock.pass_seconds(1)

        huge = core.submit(steps=(), resource_constraints={"memory": 8000})

        until_waiting_at(core, huge, 1)


@pytest.mark.parametrize(
    ("reported", "memory_mb", "vcpus"),
    [
        ({"memory": 3000, "vcpus": 4, "total_memory": 8000, "total_vcpus": 8}, 8000, 8),
        ({"memory": 3000, "vcpus": 4, "memory_percent": 25.0}, 4000, 4),
        ({"memory": 0, "vcpus": 4, "memory_percent": 100.0}, None, 4),
        ({"memory": 3000}, None, None),
    ],
)
def test_how_large_a_node_is_follows_from_what_its_cluster_reports(reported, memory_mb, vcpus):
    (node,) = nodes_from_workers("local", [{"candidate_name": "n1", **reported}])

    assert (node.total_memory_mb, node.total_vcpus) == (memory_mb, vcpus)


def test_what_projects_will_need_is_reserved_before_they_use_it():
    core = Core(landscape=a_landscape((a_node(memory_mb=1900),)))
    with core.working():
        first, second = submitted(core, 2)

        until_waiting_at(core, second, 1)

        assert core.project(first).stage is Stage.BUILDING_ACTORS


def test_a_cluster_that_is_too_small_is_not_waited_for():
    core = Core(landscape=a_landscape((a_node(memory_mb=100),)))
    with core.working():
        project_id = core.submit()

        assert "100 MB free" in core.until_stage(project_id, Stage.FAILED).error.reason


def test_waiting_ends_with_the_stated_deadline_and_its_reason():
    core = Core(limits=Limits(running_projects=1, queue_seconds=600, building_seconds=5000))
    with core.working():
        first, second = submitted(core, 2)
        core.until_stage(first, Stage.BUILDING_ACTORS)
        until_waiting_at(core, second, 1)

        core.clock.pass_seconds(601)

        reason = core.until_stage(second, Stage.FAILED).error.reason
        assert reason == (
            "The stage submitted did not end within 600 s. Waiting for room at position 1 of the "
            "queue, at most 600 s: The limit of 1 running projects is reached."
        )


def test_who_waits_can_be_cancelled_and_lets_the_next_one_by():
    core = Core(limits=ONE_AT_ONCE)
    with core.working():
        first, second, third = submitted(core, 3)
        core.until_stage(first, Stage.BUILDING_ACTORS)
        until_waiting_at(core, third, 2)

        core.app.projects.cancel(second, ANNA)

        until_waiting_at(core, third, 1)
        until(lambda: not core.adapters.projects.get(second).todo, what="nothing is left to do")


def spoil(core, project_id):
    """Make the document of a project unreadable from now on."""
    get = core.adapters.projects.get

    def get_or_raise(subject_id):
        if subject_id == project_id:
            raise UnreadableRecordError(f"{subject_id} cannot be read")
        return get(subject_id)

    core.adapters.projects.get = get_or_raise


def test_who_cannot_be_read_holds_nobody_up():
    core = Core()
    first, second = submitted(core, 2)
    spoil(core, first)
    with core.working():
        core.until_stage(second, Stage.BUILDING_ACTORS)


def test_who_runs_and_cannot_be_read_fails_nobody():
    core = Core()
    with core.working():
        (first,) = submitted(core, 1)
        core.until_stage(first, Stage.BUILDING_ACTORS)
        spoil(core, first)
        (second,) = submitted(core, 1)
        core.until_stage(second, Stage.BUILDING_ACTORS)


def test_what_is_said_of_a_project_that_cannot_be_read_stays_with_nobody():
    core = Core()
    project_id = core.submit()
    (observer, *_) = core.project(project_id).services
    event = an_event(core.project(project_id), observer.instance, Kind.HEARTBEAT, Heartbeat("on"))
    spoil(core, project_id)

    Inbox({event.actor.role: core.app.projects}, core.bus).take(event)


def test_a_customer_has_so_many_unfinished_projects_and_no_more():
    core = Core(limits=Limits(projects_per_customer=2))
    core.app.projects.submit(a_sla(), ANNA, "once")
    core.submit()

    with pytest.raises(TooManyProjectsError, match="anna has 2 unfinished projects, and may have"):
        core.submit()
    assert core.app.projects.submit(a_sla(), ANNA, "once")


def test_fifty_projects_at_once_all_end():
    core = Core(limits=Limits(running_projects=10))
    with core.working():
        ids = submitted(core, 50)

        for project_id in ids:
            finish(core, project_id)

        until(lambda: not core.adapters.projects.busy(), what="nothing is left to do")
        assert core.running() == {"obs", "trk"}
        assert all(item.health is Health.RUNNING for item in states_of(core).values())


def states_of(core):
    states = {}
    for application in core.orchestrator.applications:
        states.update(core.orchestrator.states(application))
    return states
