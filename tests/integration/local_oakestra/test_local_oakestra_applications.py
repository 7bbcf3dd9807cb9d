"""Applications at the root: shapes, status codes and refusals, the odd ones included."""

import json

import pytest

from support.local_oakestra import UNKNOWN, Client, a_microservice, an_sla, answer, error


def test_creating_an_application_returns_all_of_the_user_as_a_string(client: Client):
    client.create_application("one")

    response = client.request("POST", "/api/application/", json=an_sla("two"))

    assert isinstance(response.json(), str)
    documents = json.loads(response.json())
    assert [entry["application_name"] for entry in documents] == ["one", "two"]
    assert documents[1]["_id"] == {"$oid": documents[1]["applicationID"]}
    assert documents[1]["userId"] == "Admin"
    assert documents[1]["microservices"] == []


def test_the_same_name_and_namespace_conflict_for_one_user(client: Client):
    client.create_application("one")

    response = client.request("POST", "/api/application/", json=an_sla("one"))

    assert answer(response) == error(409, "Conflict")


def test_two_users_may_use_the_same_application_name(client: Client, ada: Client):
    mine = client.create_application("same")
    hers = ada.create_application("same")

    ada.request("DELETE", f"/api/application/{hers}")
    assert mine != hers


def test_an_sla_that_breaks_the_schema_is_unprocessable(client: Client):
    response = client.request("POST", "/api/application/", json=an_sla("with-dash"))

    assert answer(response) == error(422, "Unprocessable Entity")


@pytest.mark.parametrize("version", ["v1.0", "v3.0"])
def test_another_sla_version_breaks_the_root(client: Client, version: str):
    sla = {**an_sla("one"), "sla_version": version}

    response = client.request("POST", "/api/application/", json=sla)

    assert answer(response) == error(500, "Internal Server Error")


def test_refused_services_of_a_new_application_are_silently_missing(client: Client):
    bad = a_microservice("bad", addresses={"rr_ip": "10.31.0.1"})

    application = client.create_application("one", a_microservice("good"), bad)

    services = json.loads(client.request("GET", f"/api/services/{application}").json())
    assert [service["service_name"] for service in services] == ["good"]


def test_getting_an_application_answers_null(client: Client):
    application = client.create_application("one")

    assert answer(client.request("GET", f"/api/application/{application}")) == (200, None)


def test_an_unknown_application_is_not_found(client: Client):
    response = client.request("GET", f"/api/application/{UNKNOWN}")

    assert answer(response) == error(404, "Not Found")


def test_a_user_lists_own_applications_by_user_id(ada: Client):
    application = ada.create_application("hers")
    user_id = ada.request("GET", "/api/user/ada").json()["_id"]["$oid"]

    listed = json.loads(ada.request("GET", f"/api/applications/{user_id}").json())

    ada.request("DELETE", f"/api/application/{application}")
    assert [entry["applicationID"] for entry in listed] == [application]


def test_the_applications_of_others_are_unauthorized(ada: Client):
    response = ada.request("GET", f"/api/applications/{UNKNOWN}")

    assert answer(response) == error(401, "Unauthorized")


@pytest.mark.parametrize("path", ["/api/applications/", "/api/services/"])
def test_only_admins_list_everything(ada: Client, path: str):
    assert answer(ada.request("GET", path)) == (
        403,
        {"message": "You have not enough permissions!"},
    )


def test_a_path_without_its_slash_redirects_and_keeps_method_and_body(client: Client):
    response = client.request("POST", "/api/application", json=an_sla("slash"))

    assert [step.status_code for step in response.history] == [308]
    assert response.status_code == 200


def test_deleting_an_application_deletes_its_services(client: Client):
    application = client.create_application("one", a_microservice("svc"))
    (service,) = json.loads(client.request("GET", f"/api/services/{application}").json())

    response = client.request("DELETE", f"/api/application/{application}")

    assert answer(response) == (200, {"message": "Application Deleted"})
    path = f"/api/service/{service['microserviceID']}"
    assert answer(client.request("GET", path)) == error(404, "Not Found")


def test_deleting_an_unknown_application_is_not_implemented(client: Client, ada: Client):
    foreign = client.create_application("one")

    for application in (UNKNOWN, foreign):
        response = ada.request("DELETE", f"/api/application/{application}")
        assert answer(response) == error(501, "Not Implemented")
