"""A cluster's aggregator is killed while a tree of aggregators trains: it is replaced."""

import pytest

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


def instances_of(project, role):
    return [actor["instance"] for actor in project.document["actors"] if actor["role"] == role]


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
            {round_.cluster for round_ in world.client.project(project_id).cluster_rounds}
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
            event.event
            for event in world.client.events(project_id)
            if event.event.kind == "learner_joined" and event.event.payload.learner == new
        ],
        180,
        "it joined the root",
    )
    gate.touch()
    project = world.finished(project_id)
    assert [item.actor.role for item in joined] == [Role.AGGREGATOR]
    assert (project.stage, project.failure) == (Stage.COMPLETED, None)
    assert [round_.round for round_ in project.rounds] == [1, 2, 3]
    last = {round_.cluster for round_ in project.cluster_rounds if round_.cycle == 3}
    assert last == {"east", "west"}
    (lost,) = project.document["learner_failures"]
    assert (lost["instance"], lost["is_replaced"]) == (killed, True)
    assert lost["error"]["cluster"] == "east"
    until(lambda: world.is_gone(project_id, "flops_project_observer"), 20)
