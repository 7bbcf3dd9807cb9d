"""An aggregator is killed in the middle of its training: the result is the undisturbed one's."""

import psutil
import pytest

from flops_contracts.roles import Stage
from support.chaos import TRAININGS, actors, finish, is_over
from support.suite import a_project_sla
from support.waiting import until


def measured(project):
    return [(round_.round, round_.loss, round_.accuracy) for round_ in project.rounds]


def oldest_first(processes):
    return sorted(processes, key=psutil.Process.create_time)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("mode", "which"), [("classic", 0), ("hierarchical", 0), ("hierarchical", 1)]
)
def test_a_killed_aggregator_costs_time_and_nothing_else(
    world, repository, undisturbed, mode, which
):
    reference, _ = undisturbed(mode)
    sla = a_project_sla(repository, training_configuration=TRAININGS[mode], learners=2)
    project_id = world.client.submit_project(sla)
    until(lambda: len(actors("flops_aggregator", project_id)) > which, 240, "it begins")
    # The root is started first, below it the cluster's.
    victim = oldest_first(actors("flops_aggregator", project_id))[which]
    events = world.client.events
    until(
        lambda: (
            is_over(world, project_id)
            or any(event.event.kind == "round_completed" for event in events(project_id))
        ),
        120,
        "a round is over",
    )
    victim.kill()
    psutil.wait_procs([victim], 10)

    project = finish(world, project_id)

    assert project.stage is Stage.COMPLETED, project.failure
    assert any("started" in notice for notice in project.document["notices"])
    assert measured(project) == measured(reference)
