"""Every error has a status and a message; unexpected ones reveal nothing but an id."""

import inspect
import logging

import pytest

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_manager.domain import errors as domain
from flops_manager.entrypoints.api.errors import STATUS
from support.api_samples import a_project
from support.manager_api import World, by
from support.wire_samples import PROJECT_ID

ONE = f"/api/flops/projects/{PROJECT_ID}"
DOMAIN_ERRORS = [
    error
    for _, error in inspect.getmembers(domain, inspect.isclass)
    if issubclass(error, FlopsError) and error is not FlopsError
]


class UnforeseenError(FlopsError):
    """An error that no table knows."""

    exit_code = ExitCode.BUG


@pytest.fixture
def world() -> World:
    return World().has(a_project())


@pytest.fixture
def client(world):
    return world.api().test_client()


@pytest.mark.parametrize("error", DOMAIN_ERRORS)
def test_every_error_of_the_manager_has_a_status(error):
    assert error in STATUS


@pytest.mark.parametrize("error", DOMAIN_ERRORS)
def test_every_error_is_answered_with_its_reason_and_hint(world, client, error):
    world.projects.error = error("It broke.", hint="Repair it.")

    answer = client.get(ONE, headers=by("ada's"))

    assert (answer.status_code, answer.json) == (
        STATUS[error],
        {"message": "It broke. Repair it."},
    )


@pytest.mark.parametrize("error", [ValueError("secret"), UnforeseenError("secret")])
def test_an_unexpected_error_reveals_nothing_but_an_id(world, client, error):
    world.projects.error = error

    answer = client.get(ONE, headers=by("ada's"))

    assert (answer.status_code, "secret" in answer.text) == (500, False)


def test_the_id_of_an_unexpected_error_is_in_the_log_with_its_traceback(world, client, caplog):
    world.projects.error = ValueError("the cause")

    answer = client.get(ONE, headers=by("ada's"))

    [record] = [record for record in caplog.records if record.exc_info]
    assert (answer.json["error_id"] in record.getMessage(), "the cause" in caplog.text) == (
        True,
        True,
    )


@pytest.mark.parametrize("path", ["/nope", "/api/flops/nope", "/api/flops/projects/a/b/c"])
def test_an_unknown_path_is_answered_as_json(client, path):
    answer = client.get(path)

    assert (answer.status_code, list(answer.json)) == (404, ["message"])


def test_the_answer_to_a_wrong_method_lists_the_right_ones(client):
    answer = client.put("/api/flops/projects")

    assert (answer.status_code, "POST" in answer.headers["Allow"]) == (405, True)


def test_a_store_that_is_away_says_when_to_come_back(world, client):
    world.projects.error = domain.StoreUnavailableError("The database does not answer.")

    answer = client.get("/readyz")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_process_whose_store_is_away_still_lives(world, client):
    world.projects.error = domain.StoreUnavailableError("The database does not answer.")

    assert client.get("/healthz").status_code == 200


def test_each_answer_has_the_id_of_its_request(client):
    answer = client.get("/healthz", headers={"X-Request-ID": "from-the-proxy.1"})

    assert answer.headers["X-Request-ID"] == "from-the-proxy.1"


@pytest.mark.parametrize("given", ["a b", "x" * 65, "é"])
def test_an_odd_request_id_is_replaced(client, given):
    answer = client.get("/healthz", headers={"X-Request-ID": given})

    assert answer.headers["X-Request-ID"] != given


def test_a_log_line_has_the_project_and_the_request(client, caplog):
    caplog.set_level(logging.INFO)

    client.get(ONE, headers=by("ada's", **{"X-Request-ID": "r1"}))

    assert (caplog.records[-1].project, caplog.records[-1].request_id) == (PROJECT_ID, "r1")


def test_a_submitted_project_is_named_in_the_log(client, caplog):
    caplog.set_level(logging.INFO)
    sla = {"customerID": "ada", "ml_repo_url": "https://x/y", "ml_model_flavor": "keras"}

    answer = client.post("/api/flops/projects", json=sla, headers=by("ada's"))

    assert caplog.records[-1].project == answer.json["project_id"]


def test_a_path_cannot_write_a_line_of_its_own_into_the_log(client, caplog):
    caplog.set_level(logging.INFO)

    client.get("/x%0aERROR forged")

    assert "\n" not in caplog.records[-1].getMessage()


def test_no_token_is_in_the_log(client, caplog):
    caplog.set_level(logging.DEBUG)

    client.get(ONE, headers=by("forged"))

    assert "forged" not in caplog.text


def test_requests_are_counted_by_route_and_status(client):
    client.get(ONE, headers=by("ada's"))

    line = (
        'flops_api_requests_total{endpoint="/api/flops/projects/<project_id>",'
        'method="GET",status="200"} 1.0'
    )
    assert line in client.get("/metrics").text


def test_unknown_paths_do_not_swell_the_metrics(client):
    client.open("/a-path-nobody-knows", method="BREW")

    assert 'endpoint="(none)",method="(any)"' in client.get("/metrics").text


def test_latency_is_measured_by_route(client):
    client.get("/healthz")

    line = 'flops_api_request_seconds_count{endpoint="/healthz",method="GET"} 1.0'
    assert line in client.get("/metrics").text


def test_the_metrics_of_the_process_are_there_too(client):
    assert "process_cpu_seconds_total" in client.get("/metrics").text
