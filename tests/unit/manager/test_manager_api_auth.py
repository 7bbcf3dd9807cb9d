"""Permissions: owner, other, Admin, no token, expired token, bad token; and FLOPS_AUTH=off."""

import re

import pytest

from flops_contracts.roles import Stage
from flops_manager.entrypoints.api.callers import UnverifiedSenders
from support.api_samples import a_mock, a_project
from support.manager_api import World, by
from support.wire_samples import PROJECT_ID

ONE = f"/api/flops/projects/{PROJECT_ID}"
IDS = {"project_id": PROJECT_ID, "mock_id": a_mock().id}
"""Whatever can be named in a path and belongs to somebody: to ada."""

ROUTES = sorted(
    (method, rule.rule)
    for rule in World().api().url_map.iter_rules()
    for method in rule.methods - {"HEAD", "OPTIONS"}
)


def path_of(rule):
    """Return the path with ids of things that exist; a new kind of id has to be added."""
    return re.sub(r"<(\w+)>", lambda match: IDS[match[1]], rule)


GUARDED = [(method, path_of(rule)) for method, rule in ROUTES if rule.startswith("/api/")]
OWNED = [
    (method, path_of(rule)) for method, rule in ROUTES if rule.startswith("/api/") and "<" in rule
]
STREAMED = [("GET", f"{ONE}/events", {"Accept": "text/event-stream"})]
PUBLIC = ["/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"]

SLA = {"customerID": "ada", "ml_repo_url": "https://git.example/r", "ml_model_flavor": "sklearn"}


@pytest.fixture
def world() -> World:
    return World().has(a_project(Stage.TRAINING), a_mock())


@pytest.fixture
def client(world):
    return world.api().test_client()


@pytest.fixture
def local():
    world = World(senders=UnverifiedSenders()).has(a_project())
    return world.api().test_client()


def test_nothing_but_pages_and_health_is_outside_the_guarded_paths():
    outside = {rule for _, rule in ROUTES if not rule.startswith("/api/")}

    assert outside == {*PUBLIC, "/docs/start.js", "/docs/assets/<name>"}


def test_the_routes_that_take_an_id_are_found():
    assert {("GET", ONE), ("DELETE", ONE), ("POST", f"{ONE}/cancel")} <= set(OWNED)
    assert len(OWNED) >= 9


@pytest.mark.parametrize(("method", "path"), OWNED)
def test_the_owner_may(client, method, path):
    assert client.open(path, method=method, headers=by("ada's")).status_code == 200


@pytest.mark.parametrize(("method", "path"), OWNED)
def test_an_admin_may(client, method, path):
    assert client.open(path, method=method, headers=by("Admin's")).status_code == 200


@pytest.mark.parametrize(("method", "path"), OWNED)
def test_for_others_it_is_as_if_it_were_not_there(client, method, path):
    assert client.open(path, method=method, headers=by("bob's")).status_code == 404


@pytest.mark.parametrize(("method", "path"), OWNED)
def test_naming_oneself_as_the_customer_opens_nothing_of_others(client, method, path):
    answer = client.open(
        f"{path}?customerID=bob", method=method, json={"customerID": "bob"}, headers=by("bob's")
    )

    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path"), OWNED)
def test_roles_and_owners_that_the_body_claims_count_for_nothing(client, method, path):
    lies = {"customerID": "bob", "roles": ["Admin"], "sub": "ada", "owner": "ada", "user": "ada"}

    answer = client.open(path, method=method, json=lies, headers=by("bob's"))

    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path", "headers"), STREAMED)
def test_for_others_a_stream_is_as_if_it_were_not_there(client, method, path, headers):
    answer = client.open(path, method=method, headers=by("bob's", **headers))

    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "headers",
    [{}, by("expired"), by("forged"), {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}],
    ids=["none", "expired", "bad", "basic", "empty"],
)
def test_nobody_may_without_a_good_token(client, method, path, headers):
    answer = client.open(path, method=method, headers=headers)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("path", PUBLIC)
def test_pages_and_health_need_no_token(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_word_bearer_may_be_written_in_any_case(client, scheme):
    answer = client.get(ONE, headers={"Authorization": f"{scheme} ada's"})

    assert answer.status_code == 200


def test_a_list_has_only_the_callers_projects(client, world):
    world.has(a_project(id="b0b", customer_id="bob"))

    answer = client.get("/api/flops/projects", headers=by("bob's"))

    assert [project["project_id"] for project in answer.json["projects"]] == ["b0b"]


def test_an_admins_list_has_everyones_projects(client, world):
    world.has(a_project(id="b0b", customer_id="bob"))

    assert client.get("/api/flops/projects", headers=by("Admin's")).json["total"] == 2


def test_an_admin_may_list_one_customers_projects(client, world):
    world.has(a_project(id="b0b", customer_id="bob"))

    answer = client.get("/api/flops/projects?customerID=bob", headers=by("Admin's"))

    assert [project["owner"] for project in answer.json["projects"]] == ["bob"]


@pytest.mark.parametrize(
    ("method", "path"), [*OWNED, ("GET", "/api/flops/projects"), ("GET", "/api/flops/tracking")]
)
def test_nobody_may_name_another_customer(client, method, path):
    answer = client.open(f"{path}?customerID=bob", method=method, headers=by("ada's"))

    assert answer.status_code == 403


def test_nobody_may_submit_for_another_customer(client, world):
    answer = client.post("/api/flops/projects", json=SLA, headers=by("bob's"))

    assert (answer.status_code, len(world.stored())) == (403, 1)


def test_a_query_does_not_smuggle_another_customers_sla_in(client):
    path = "/api/flops/projects?customerID=bob"

    assert client.post(path, json=SLA, headers=by("bob's")).status_code == 403


def test_an_admin_may_submit_for_a_customer(client, world):
    answer = client.post("/api/flops/projects", json=SLA, headers=by("Admin's"))

    assert world.projects.get(answer.json["project_id"]).subject.customer_id == "ada"


def test_query_and_body_must_name_the_same_customer(client):
    answer = client.get(
        "/api/flops/tracking?customerID=bob", json={"customerID": "ada"}, headers=by("Admin's")
    )

    assert "customerID" in answer.json["errors"]


@pytest.mark.parametrize("body", [{"customerID": "Admin"}, {"roles": ["Admin"]}])
def test_saying_that_one_is_the_admin_resets_nothing(client, world, body):
    answer = client.delete("/api/flops/database", json=body, headers=by("bob's"))

    assert (answer.status_code, len(world.stored())) == (403, 1)


@pytest.mark.parametrize("whose", ["ada's", "bob's"])
def test_only_admins_may_reset_the_database(client, world, whose):
    answer = client.delete("/api/flops/database", headers=by(whose))

    assert (answer.status_code, len(world.stored())) == (403, 1)


def test_an_admin_may_reset_the_database(client, world):
    answer = client.delete(
        "/api/flops/database", json={"customerID": "Admin"}, headers=by("Admin's")
    )

    assert (answer.status_code, len(world.stored())) == (200, 0)


def test_without_authentication_the_given_customer_is_believed(local):
    answer = local.post("/api/flops/projects", json=SLA, base_url="http://127.30.0.1:5072")

    assert answer.status_code == 200


def test_without_authentication_a_tracking_server_needs_a_customer(local):
    answer = local.get("/api/flops/tracking", base_url="http://127.0.0.1:5072")

    assert (answer.status_code, list(answer.json["errors"])) == (400, ["customerID"])


def test_without_authentication_everything_is_visible(local):
    assert local.get(ONE, base_url="http://127.0.0.1:5072").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "192.0.2.1:5072", "127.0.0.1.evil.example"])
def test_without_authentication_only_this_machine_is_served(local, host):
    assert local.get(ONE, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8000"])
def test_without_authentication_other_web_sites_are_refused(local, origin):
    answer = local.post(
        "/api/flops/projects",
        json=SLA,
        headers={"Origin": origin},
        base_url="http://127.0.0.1:5072",
    )

    assert answer.status_code == 403


def test_without_authentication_the_own_web_page_is_served(local):
    origin = {"Origin": "http://127.0.0.1:5072"}

    assert local.get(ONE, headers=origin, base_url="http://127.0.0.1:5072").status_code == 200
