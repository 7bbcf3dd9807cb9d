"""Every endpoint of projects, mocks, models, tracking and the database, as a customer sees it."""

import re
from dataclasses import replace

import pytest

from flops_contracts.events import Fragment
from flops_contracts.roles import Stage
from flops_manager.domain.errors import OrchestratorUnavailableError
from flops_manager.domain.services import tracking_service
from support.api_samples import HISTORY, a_mock, a_project
from support.manager_api import World, by
from support.wire_goldens import golden
from support.wire_samples import LEARNER, PROJECT_ID

PROJECTS = "/api/flops/projects"
ONE = f"{PROJECTS}/{PROJECT_ID}"
SLA = {"customerID": "ada", "ml_repo_url": "https://git.example/r", "ml_model_flavor": "sklearn"}
MOCK_SLA = {
    "customerID": "ada",
    "mock_data_configuration": {"dataset_name": "mnist", "data_tag": "mnist"},
}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world):
    client = world.api().test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer ada's"
    return client


def test_a_submitted_project_is_stored_and_its_id_answered(client, world):
    answer = client.post(PROJECTS, json=SLA)

    assert [item.id for item in world.stored()] == [answer.json["project_id"]]


@pytest.mark.parametrize("path", [PROJECTS, f"{PROJECTS}/"])
def test_a_trailing_slash_is_served_without_a_redirect(client, path):
    assert client.post(path, json=SLA).status_code == 200


def test_a_body_needs_no_content_type(client):
    text = b'{"customerID":"ada","ml_repo_url":"https://x/y","ml_model_flavor":"keras"}'

    assert client.post(PROJECTS, data=text).status_code == 200


def test_the_same_idempotency_key_returns_the_first_project(client, world):
    first = client.post(PROJECTS, json=SLA, headers={"Idempotency-Key": "k1"})

    second = client.post(PROJECTS, json=SLA, headers={"Idempotency-Key": "k1"})

    assert (second.json["project_id"], len(world.stored())) == (first.json["project_id"], 1)


@pytest.mark.parametrize("key", ["x" * 256, "\x07"])
def test_an_unusable_idempotency_key_is_refused(client, world, key):
    answer = client.post(PROJECTS, json=SLA, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key})

    assert (answer.status_code, world.stored()) == (400, [])


def test_a_dry_run_returns_its_findings_and_creates_nothing(client, world):
    answer = client.post(f"{PROJECTS}?dry_run=true", json=SLA)

    assert (answer.json["is_ok"], world.stored()) == (False, [])


@pytest.mark.parametrize("query", ["dryrun=true", "dry_run=perhaps", "dry-run=1"])
def test_a_misspelt_dry_run_creates_nothing(client, world, query):
    answer = client.post(f"{PROJECTS}?{query}", json=SLA)

    assert (answer.status_code, world.stored()) == (400, [])


def test_every_problem_of_an_sla_is_returned_with_its_path(client):
    answer = client.post(
        PROJECTS,
        json={
            "customerID": "ada",
            "ml_model_flavour": "sklearn",
            "training_configuration": {"mode": "federated", "training_rounds": 0},
            "supported_platforms": ["linux/amd64", "windows"],
        },
    )

    assert set(answer.json["errors"]) == {
        "ml_repo_url",
        "ml_model_flavor",
        "ml_model_flavour",
        "training_configuration.mode",
        "training_configuration.training_rounds",
        "supported_platforms[1]",
    }


def test_an_unknown_key_is_answered_with_the_nearest_known_one(client):
    answer = client.post(PROJECTS, json={**SLA, "ml_model_flavour": "sklearn"})

    assert "'ml_model_flavor'" in answer.json["errors"]["ml_model_flavour"][0]


def test_comments_in_json_are_refused_with_the_reason(client):
    answer = client.post(PROJECTS, data=b'{\n  "customerID": "ada", % who pays\n}')

    assert "'%'" in answer.json["message"]


@pytest.mark.parametrize(
    "value", ["NaN", "-Infinity", "1" + "0" * 30, '"\\ud800"', '"a\\u0000b"'], ids=range(5)
)
def test_what_no_database_can_hold_is_refused(client, value):
    answer = client.post(PROJECTS, data=f'{{"customerID": "ada", "privacy": {{"x": {value}}}}}')

    assert "(document)" in answer.json["errors"]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'"ada"'])
@pytest.mark.parametrize("path", [PROJECTS, "/api/flops/mocks"])
def test_a_body_that_is_not_a_json_object_is_refused(client, path, body):
    answer = client.post(path, data=body)

    assert (answer.status_code, "(document)" in answer.json["errors"]) == (400, True)


@pytest.mark.parametrize("path", [PROJECTS, "/api/flops/mocks"])
def test_a_body_of_more_than_a_megabyte_is_refused(client, path):
    answer = client.post(path, data=b" " * (1024 * 1024 + 1))

    assert (answer.status_code, set(answer.json)) == (413, {"message"})


def test_the_full_state_of_a_project_is_the_golden_one(client, world):
    world.has(a_project())

    assert client.get(ONE).json["project"] == golden("answer-project")["project"]


def test_a_page_of_projects_has_the_total_count(client, world):
    world.has(*(a_project(id=f"{number:012x}") for number in range(5)))

    answer = client.get(f"{PROJECTS}?page=2&page_size=2").json

    assert [project["project_id"][-1] for project in answer["projects"]] + [answer["total"]] == [
        "2",
        "1",
        5,
    ]


def test_projects_are_listed_by_stage(client, world):
    world.has(a_project(), a_project(Stage.TRAINING, id="f00"))

    answer = client.get(f"{PROJECTS}?stage=training").json

    assert [project["project_id"] for project in answer["projects"]] == ["f00"]


@pytest.mark.parametrize(
    "query", ["stage=dancing", "page=0", "page=x", "page_size=101", "after=1", "page=1e9"]
)
def test_a_query_that_makes_no_sense_is_refused_by_name(client, query):
    answer = client.get(f"{PROJECTS}?{query}")

    assert (answer.status_code, list(answer.json["errors"])) == (400, [query.partition("=")[0]])


def test_a_project_can_be_cancelled_twice(client, world):
    world.has(a_project(Stage.TRAINING))

    client.post(f"{ONE}/cancel")
    answer = client.post(f"{ONE}/cancel")

    assert answer.json["project"]["stage"] == "cancelled"


def test_what_the_stage_does_not_allow_is_a_conflict(client, world):
    world.has(a_project(Stage.COMPLETED))

    assert client.post(f"{ONE}/cancel").status_code == 409


def test_a_project_can_be_retried(client, world):
    world.has(a_project(Stage.FAILED))

    assert client.post(f"{ONE}/retry").json["project"]["stage"] == "training"


def test_a_deleted_project_is_gone(client, world):
    world.has(a_project())

    client.delete(ONE)

    assert client.get(ONE).status_code == 404


def test_the_history_goes_on_after_a_number(client, world):
    world.has(a_project()).tells(*HISTORY)

    answer = client.get(f"{ONE}/events?after=2&limit=3").json

    assert ([event["seq"] for event in answer["events"]], answer["last_seq"]) == ([3, 4, 5], 5)


def test_a_history_without_news_returns_its_position(client, world):
    world.has(a_project()).tells(*HISTORY)

    answer = client.get(f"{ONE}/events?after={len(HISTORY)}").json

    assert (answer["events"], answer["last_seq"]) == ([], len(HISTORY))


def test_the_history_is_the_golden_one(client, world):
    world.has(a_project()).tells(*HISTORY)

    assert client.get(f"{ONE}/events").json["events"] == golden("answer-events")["events"]


@pytest.mark.parametrize(("actor", "count"), [("", 1), (LEARNER, 1), ("agg", 0)])
def test_logs_are_filtered_by_actor(client, world, actor, count):
    world.has(a_project())

    assert len(client.get(f"{ONE}/logs?actor={actor}").json["logs"]) == count


def test_a_submitted_mock_is_stored_and_its_id_answered(client, world):
    answer = client.post("/api/flops/mocks", json=MOCK_SLA)

    assert [mock.id for mock in world.stored_mocks()] == [answer.json["mock_id"]]


def test_a_dry_run_of_a_mock_creates_nothing(client, world):
    answer = client.post("/api/flops/mocks?dry_run=1", json=MOCK_SLA)

    assert (answer.status_code, world.stored_mocks()) == (200, [])


def test_a_dry_run_for_another_customer_is_refused_too(client):
    path, sla = "/api/flops/mocks?dry_run=1", {**MOCK_SLA, "customerID": "bob"}

    assert client.post(path, json=sla).status_code == 403


def test_a_mock_is_listed_shown_and_deleted(client, world):
    world.has(a_mock())
    path = f"/api/flops/mocks/{a_mock().id}"

    listed, shown, deleted = client.get("/api/flops/mocks"), client.get(path), client.delete(path)

    assert (
        listed.json["total"],
        shown.json["mock"],
        deleted.status_code,
        world.stored_mocks(),
    ) == (
        1,
        golden("answer-mock")["mock"],
        200,
        [],
    )


def test_the_labels_of_a_mocks_partitions_are_drawn(client, world):
    parts = [Fragment(f"mnist.{n}.parquet", 30, 9, {"0": 10, "7": 20}, n, "a/n1") for n in (0, 1)]
    world.has(replace(a_mock(), fragments=tuple(parts)))

    answer = client.get(f"/api/flops/mocks/{a_mock().id}/labels.svg")

    assert answer.mimetype == "image/svg+xml"
    assert set(re.findall(r">([^<]+)</text>", answer.text)) >= {"0 a/n1", "1 a/n1", "7"}
    assert "<script" not in answer.text
    assert "style-src" in answer.headers["Content-Security-Policy"]


def test_models_are_listed_and_shown(client, world):
    world.has(a_project())

    listed = client.get("/api/flops/models").json["models"]
    shown = client.get(f"/api/flops/models/{PROJECT_ID}").json["model"]

    assert [listed, [shown]] == [golden("answer-models")["models"]] * 2


def test_the_tracking_server_is_the_callers_own(client, world):
    answer = client.get("/api/flops/tracking").json

    ((name, deployment),) = world.orchestrator.running().items()
    assert name == tracking_service("ada")
    assert answer["tracking_server_url"] == f"http://192.0.2.1:{deployment.port}"


def test_a_body_that_is_not_json_is_refused_where_only_the_customer_is_needed(client):
    answer = client.get("/api/flops/tracking", data=b"customerID=ada")

    assert (answer.status_code, "(body)" in answer.json["errors"]) == (400, True)


def test_an_admin_gets_a_customers_tracking_server(client, world):
    client.get("/api/flops/tracking", json={"customerID": "bob"}, headers=by("Admin's"))

    assert set(world.orchestrator.running()) == {tracking_service("bob")}


def test_an_orchestrator_that_is_away_is_reported(client, world):
    world.orchestrator.failures.append(OrchestratorUnavailableError("It does not answer."))

    assert client.get("/api/flops/tracking").status_code == 503


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", PROJECTS),
        ("GET", PROJECTS),
        ("GET", ONE),
        ("POST", f"{ONE}/cancel"),
        ("POST", f"{ONE}/retry"),
        ("DELETE", ONE),
        ("GET", f"{ONE}/events"),
        ("GET", f"{ONE}/logs"),
        ("GET", "/api/flops/mocks"),
        ("GET", "/api/flops/models"),
        ("GET", "/api/flops/tracking"),
    ],
)
def test_success_is_200_with_a_message(client, world, method, path):
    world.has(a_project(Stage.TRAINING))

    answer = client.open(path, method=method, json=SLA if path == PROJECTS else None)

    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
