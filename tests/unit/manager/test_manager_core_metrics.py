"""The metrics of a worker; one that stands by exposes nothing about projects."""

import pytest

from flops_contracts.events import Kind, Notice
from flops_contracts.roles import Role, Stage
from flops_manager.domain.errors import OrchestratorUnavailableError
from flops_manager.metrics import WORKER, stand_by
from support.counting import Changes
from support.manager_core import Core
from support.waiting import until


@pytest.fixture
def changes():
    return Changes(WORKER)


def test_commands_are_counted_by_what_came_of_them(core, changes):
    core.orchestrator.failures.extend([OrchestratorUnavailableError("away")] * 2)

    core.until_running(core.submit(), Role.BUILDER)

    counted = "flops_manager_commands_total"
    until(lambda: changes.of(counted, kind="Deploy", outcome="done"), what="it is counted")
    assert changes.of(counted, outcome="failed") == 2
    assert changes.of(counted, outcome="given_up") == 0
    assert changes.of("flops_manager_command_attempts_sum") >= 3


def test_stages_that_projects_come_to_are_counted(core, changes):
    core.until_running(core.submit(), Role.BUILDER)

    counted = "flops_manager_stage_changes_total"
    assert changes.of(counted, of="project", stage="building_actors") == 1


def test_events_are_counted_by_what_became_of_them(core, changes):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]

    core.say(project_id, builder, Kind.NOTICE, Notice("one"))

    assert changes.of("flops_manager_events_total", kind="notice", outcome="applied") == 1


def test_projects_that_have_not_ended_are_counted_by_stage(core):
    core.until_running(core.submit(), Role.BUILDER)
    core.until_looked_at()

    def building():
        labels = {"stage": str(Stage.BUILDING_ACTORS)}
        return WORKER.get_sample_value("flops_manager_projects", labels)

    until(lambda: building() == 1, what="the project is counted")


def test_the_lease_is_exposed_while_it_is_held():
    core = Core()

    with core.working():
        until(lambda: core.app.worker.is_active, what="the worker acts")
        held = WORKER.get_sample_value("flops_manager_lease_held")

    assert (held, WORKER.get_sample_value("flops_manager_lease_held")) == (1, 0)


def test_who_stands_by_says_nothing_of_projects(core):
    core.until_running(core.submit(), Role.BUILDER)
    core.until_looked_at()

    stand_by()

    labels = {"stage": str(Stage.BUILDING_ACTORS)}
    assert WORKER.get_sample_value("flops_manager_projects", labels) is None
