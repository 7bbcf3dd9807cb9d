"""A tree of aggregators over two clusters trains to its end."""

import pytest

from flops_cli.local.held_out import fetch_samples, predict
from flops_contracts.roles import Stage
from support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(manuals_project):
    return manuals_project


def payloads_of(world, project, kind):
    return [event.event for event in world.client.events(project.id) if event.event.kind == kind]


def test_the_manuals_small_sla_runs_to_the_end(project):
    assert (project.stage, project.failure) == (Stage.COMPLETED, None)


def test_every_cycle_and_every_round_of_each_cluster_is_in_the_project(project):
    assert [(round_.round, round_.is_cycle) for round_ in project.rounds] == [(1, True), (2, True)]
    assert [(round_.cycle, round_.cluster, round_.round) for round_ in project.cluster_rounds] == [
        (cycle, cluster, number)
        for cycle in (1, 2)
        for cluster in ("east", "west")
        for number in (1, 2, 3)
    ]


def test_the_best_models_cycle_is_reported(project):
    assert project.document["best_cycle"] == project.document["trained"]["best_round"]


def test_a_cluster_without_data_is_left_out_with_a_notice(project):
    notices = [notice for notice in project.document["notices"] if "left out" in notice]

    assert len(notices) == 1
    assert notices[0].startswith("The cluster north is left out.")


def test_learners_stay_in_their_cluster_and_share_all_rows(world, project):
    loaded = payloads_of(world, project, "data_loaded")

    assert sorted(item.actor.cluster for item in loaded) == ["east", "east", "west", "west"]
    assert sum(item.payload.rows for item in loaded) == 4500


def test_the_served_model_of_all_clusters_knows_digits_that_no_learner_had(world, project):
    samples = fetch_samples(world.suite.network.data_server(1), "mnist-held-out")

    assert samples.accuracy_of(predict(project.model_url, samples.inputs)) > 0.75


def test_nothing_of_it_runs_in_any_cluster_but_its_model_and_its_observer(world, project):
    until(
        lambda: world.is_gone(project.id, "flops_model_server", "flops_project_observer"),
        20,
        "the actors of both clusters are gone",
    )
