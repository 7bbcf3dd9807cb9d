"""Root, cluster aggregators and learners as processes: a real broker, and MLflow on SQLite.

In the second cluster the aggregator is killed in the first cycle and replaced by another one at its
address, as the manager does it.
"""

import pytest

from flops_contracts.events import Kind
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role
from support.waiting import until

mlflow = pytest.importorskip("mlflow")

SLOW_AT_FIRST_IN_THE_SECOND = (
    "import os, threading, pathlib; os.environ['SEED'] == '2' "
    "and not pathlib.Path('go').exists() and threading.Event().wait(3)"
)
ROOT = {
    # Each cycle begins with both clusters, and may lose one of them.
    "FLOPS_MIN_AVAILABLE_CLIENTS": "2",
    "FLOPS_MIN_FIT_CLIENTS": "1",
    "FLOPS_MIN_EVALUATE_CLIENTS": "1",
    "FLOPS_TRAINING_ROUNDS": "3",
    "FLOPS_RETURN_TIMEOUT_SECONDS": "120",
}


@pytest.fixture(scope="module", autouse=True)
def _has_a_store() -> None:
    pytest.importorskip("sqlalchemy", reason="mlflow needs it to keep runs in SQLite")


@pytest.fixture(scope="module")
def clustered_world(new_world):
    """A world in which a root over two clusters of a learner each has done its work."""
    world = new_world
    world.write_model(fit=SLOW_AT_FIRST_IN_THE_SECOND)
    root = world.start("aggregator", "root", **ROOT)
    first, doomed = world.start_cluster(1), world.start_cluster(2)
    learners = [world.start_clusters_learner(number) for number in (1, 2)]
    until(lambda: payloads_of(world, "cluster2", Kind.ROUND_STARTED), 240, "cluster 2 trains")
    doomed.kill()
    doomed.wait(300)
    (world.folder / "go").touch()
    replacement = world.start_cluster(2, "cag2again")
    world.codes = [item.wait(300) for item in (root, first, replacement, *learners)]
    return world


def payloads_of(world, cluster, kind=Kind.ROUND_COMPLETED):
    return [event.payload for event in world.manager.heard(kind) if event.actor.cluster == cluster]


def runs_of(world):
    """Return the root's run and those nested in it by name, and MLflow's client."""
    client = mlflow.MlflowClient(world.mlflow_url)
    (trained,) = world.manager.heard(Kind.TRAINED)
    root = client.get_run(trained.payload.run_id)
    nested = f"tags.`mlflow.parentRunId` = '{root.info.run_id}'"
    children = client.search_runs([root.info.experiment_id], nested)
    return client, {run.info.run_name: run for run in [root, *children]}


def test_every_process_that_was_not_killed_ends_by_itself_and_well(clustered_world):
    assert clustered_world.codes == [ExitCode.DONE] * 5


def test_the_root_reports_its_cycles_with_a_row_for_each_cluster(clustered_world):
    cycles = [
        event.payload
        for event in clustered_world.manager.heard(Kind.ROUND_COMPLETED)
        if event.actor.role is Role.AGGREGATOR
    ]

    assert [(cycle.round, cycle.cycle, cycle.is_cycle) for cycle in cycles] == [
        (1, 1, True),
        (2, 2, True),
        (3, 3, True),
    ]
    assert [(row.learner, row.samples) for row in cycles[-1].learners] == [
        ("cag1", 100),
        ("cag2again", 100),
    ]


def test_a_cluster_reports_its_rounds_in_each_cycle(clustered_world):
    rounds = [(item.cycle, item.round) for item in payloads_of(clustered_world, "cluster1")]

    assert rounds == [(cycle, number) for cycle in (1, 2, 3) for number in (1, 2)]


def test_a_replaced_aggregator_joins_again(clustered_world):
    rounds = [(item.cycle, item.round) for item in payloads_of(clustered_world, "cluster2")]

    assert rounds[-2:] == [(3, 1), (3, 2)]


def test_clusters_report_the_training_below_them(clustered_world):
    (finished,) = payloads_of(clustered_world, "cluster1", Kind.FINISHED)

    assert (finished.rounds, finished.samples) == (6, 100)


def test_mlflow_shows_cycles_in_the_roots_run_and_rounds_in_one_nested_run_a_cluster(
    clustered_world,
):
    client, runs = runs_of(clustered_world)
    steps = {
        name: [point.step for point in client.get_metric_history(run.info.run_id, "loss")]
        for name, run in runs.items()
    }

    assert set(runs) == {"0123456789ab", "cluster1", "cluster2"}
    assert (steps["0123456789ab"], steps["cluster1"]) == ([1, 2, 3], [1, 2, 3, 4, 5, 6])
    assert steps["cluster2"][-2:] == [5, 6]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


def test_only_the_root_keeps_a_model(clustered_world):
    client, runs = runs_of(clustered_world)
    root = runs["0123456789ab"].info

    models = client.search_logged_models([root.experiment_id])

    assert [model.source_run_id for model in models] == [root.run_id]
