"""A tree of aggregators over two clusters: to its end, and when an aggregator is killed."""

import pytest

from flops_cli.local.held_out import fetch_samples, predict
from flops_contracts.roles import Role, Stage
from support.suite import SAMPLE, a_project_sla, a_repository
from support.waiting import until

pytestmark = pytest.mark.e2e

FIT = "    def fit_model(self) -> int:\n"
WAITING_FIT = f"""{FIT}        self.fits = getattr(self, "fits", 0) + 1
        gate = __import__("pathlib").Path("{{gate}}")
        pause = __import__("threading").Event()
        while self.fits > 1 and not gate.exists():
            pause.wait(0.1)
"""


@pytest.fixture
def project(manuals_project):
    return manuals_project


def payloads_of(world, project, kind):
    return [one.event for one in world.client.events(project.id) if one.event.kind == kind]


def instances_of(project, role):
    return [one["instance"] for one in project.document["actors"] if one["role"] == role]


def test_the_manuals_small_sla_runs_to_the_end(project):
    assert (project.stage, project.failure) == (Stage.COMPLETED, None)


def test_every_cycle_and_every_round_of_each_cluster_is_in_the_project(project):
    assert [(one.round, one.is_cycle) for one in project.rounds] == [(1, True), (2, True)]
    assert [(one.cycle, one.cluster, one.round) for one in project.cluster_rounds] == [
        (cycle, cluster, number)
        for cycle in (1, 2)
        for cluster in ("east", "west")
        for number in (1, 2, 3)
    ]


def test_the_best_models_cycle_is_told(project):
    assert project.document["best_cycle"] == project.document["trained"]["best_round"]


def test_a_cluster_without_data_is_left_out_with_a_notice(project):
    notices = [one for one in project.document["notices"] if "left out" in one]

    assert len(notices) == 1
    assert notices[0].startswith("The cluster north is left out.")


def test_learners_stay_in_their_cluster_and_share_all_rows(world, project):
    loaded = payloads_of(world, project, "data_loaded")

    assert sorted(one.actor.cluster for one in loaded) == ["east", "east", "west", "west"]
    assert sum(one.payload.rows for one in loaded) == 4500


def test_the_served_model_of_all_clusters_knows_digits_that_no_learner_had(world, project):
    samples = fetch_samples(world.suite.network.data_server(1), "mnist-held-out")

    assert samples.accuracy_of(predict(project.model_url, samples.inputs)) > 0.75


def test_nothing_of_it_runs_in_any_cluster_but_its_model_and_its_observer(world, project):
    until(
        lambda: world.is_gone(project.id, "flops_model_server", "flops_project_observer"),
        20,
        "the actors of both clusters are gone",
    )


def test_a_killed_cluster_aggregator_is_replaced_and_joins_again(world, tmp_path):
    gate = tmp_path / "gate"
    model = (SAMPLE / "model_manager.py").read_text()
    code = model.replace(FIT, WAITING_FIT.format(gate=gate))
    repository = a_repository(tmp_path / "repository", {"model_manager.py": code})
    training = {
        "mode": "hierarchical",
        "data_tags": ["mnist-spread"],
        "training_cycles": 3,
        "training_rounds": 1,
    }
    project_id = world.client.submit_project(
        a_project_sla(repository, training_configuration=training)
    )
    until(
        lambda: (
            {one.cluster for one in world.client.project(project_id).cluster_rounds}
            == {"east", "west"}
        ),
        240,
        "both clusters trained in the first cycle",
    )
    (killed, _) = instances_of(world.client.project(project_id), Role.CLUSTER_AGGREGATOR)

    world.process_of(killed).kill()

    until(
        lambda: len(instances_of(world.client.project(project_id), Role.CLUSTER_AGGREGATOR)) == 3,
        120,
        "another aggregator is started in the cluster",
    )
    new = instances_of(world.client.project(project_id), Role.CLUSTER_AGGREGATOR)[-1]
    joined = until(
        lambda: [
            one.event
            for one in world.client.events(project_id)
            if one.event.kind == "learner_joined" and one.event.payload.learner == new
        ],
        180,
        "it joined the root",
    )
    gate.touch()
    project = world.finished(project_id)
    assert [one.actor.role for one in joined] == [Role.AGGREGATOR]
    assert (project.stage, project.failure) == (Stage.COMPLETED, None)
    assert [one.round for one in project.rounds] == [1, 2, 3]
    last = {one.cluster for one in project.cluster_rounds if one.cycle == 3}
    assert last == {"east", "west"}
    (lost,) = project.document["learner_failures"]
    assert (lost["instance"], lost["is_replaced"]) == (killed, True)
    assert lost["error"]["cluster"] == "east"
    until(lambda: world.is_gone(project_id, "flops_project_observer"), 20)
