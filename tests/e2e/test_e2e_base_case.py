"""A project is trained and served: mock data, images, rounds, model, through public interfaces."""

import re

import pytest
import requests

from flops_cli.local.held_out import fetch_samples, predict
from flops_contracts.roles import Stage
from support.exposed import value
from support.suite import a_project_sla
from support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(served_project):
    return served_project


@pytest.fixture(scope="module")
def tracking(world):
    """Return a caller of MLflow's REST API at the customer's tracking server."""
    url = world.client.tracking().url

    def ask(path, **query):
        answer = requests.get(f"{url}/api/2.0/mlflow/{path}", params=query, timeout=120)
        answer.raise_for_status()
        return answer.json()

    return ask


def test_the_fragments_lie_in_the_volume_under_their_tag(world):
    names = [path.name for path in world.state.rglob("mnist.*.parquet")]

    assert len(names) == 3
    assert all(re.fullmatch(r"mnist\.[0-9a-f]{32}\.parquet", name) for name in names)


def test_the_project_completes(project):
    assert (project.stage, project.failure) == (Stage.COMPLETED, None)


def test_the_stages_follow_one_another(project):
    assert [entry.stage for entry in project.stages] == [
        "submitted",
        "building_actors",
        "training",
        "building_model",
        "serving",
        "completed",
    ]


def test_every_round_is_in_the_project(project):
    assert [round_.round for round_ in project.rounds] == [1, 2, 3]
    assert project.rounds[-1].accuracy > 0.85


def test_what_actors_logged_is_there_when_they_are_gone(world, project):
    lines, _ = world.client.log_lines(project.id, limit=1000)

    assert {line["role"] for line in lines} >= {"builder", "aggregator", "learner"}
    assert any("loaded" in line["message"] for line in lines if line["role"] == "learner")
    assert {line["round"] for line in lines if line["role"] == "aggregator"} >= {1, 2, 3}


def test_the_learners_share_all_rows_and_none_twice(world, project):
    events = world.client.events(project.id)
    rows = [event.event.payload.rows for event in events if event.event.kind == "data_loaded"]

    assert len(rows) == 2
    assert sum(rows) == 4500


def test_every_round_is_in_mlflow(tracking, project):
    run_id = project.document["trained"]["run_id"]

    history = tracking("metrics/get-history", run_id=run_id, metric_key="accuracy")["metrics"]

    assert [item["step"] for item in history] == [1, 2, 3]
    assert [item["value"] for item in history] == [round_.accuracy for round_ in project.rounds]


def test_the_best_model_is_registered_under_an_alias(tracking, project):
    trained = project.document["trained"]

    version = tracking("registered-models/alias", name=trained["model_name"], alias="champion")

    assert version["model_version"]["version"] == trained["model_version"]


def test_the_served_model_knows_digits_that_no_learner_had(world, project):
    samples = fetch_samples(world.suite.network.data_server(1), "mnist-held-out")

    predictions = predict(project.model_url, samples.inputs)

    assert len(predictions) == 500
    assert samples.accuracy_of(predictions) > 0.85


def test_nothing_of_the_project_runs_but_its_model_and_its_observer(world, project):
    staying = ("flops_model_server", "flops_project_observer")

    until(lambda: world.is_gone(project.id, *staying), 20)

    assert world.processes_of(project.id) == sorted(staying)


def test_the_worker_counts_what_it_did(world, project):
    url = f"http://{world.suite.network.address}:5080/metrics"
    text = requests.get(url, timeout=120).text

    completed = {"of": "project", "stage": str(project.stage)}
    assert value(text, "flops_manager_stage_changes_total", **completed) >= 1
    assert value(text, "flops_manager_commands_total", kind="Deploy", outcome="done") >= 4
    assert value(text, "flops_manager_events_total", kind="trained", outcome="applied") >= 1
    assert value(text, "flops_manager_lease_held") == 1
    assert value(text, "flops_mqtt_connections", state="up") >= 2


def test_equal_code_is_not_built_again(world, project, tmp_path):
    repository = project.document["sla"]["ml_repo_url"]

    again = world.finished(world.client.submit_project(a_project_sla(repository)))

    built = [
        event.event.payload
        for event in world.client.events(again.id)
        if event.event.kind == "actors_built"
    ]
    assert [item.reused for item in built] == [True]
    assert again.document["images"] == project.document["images"]
