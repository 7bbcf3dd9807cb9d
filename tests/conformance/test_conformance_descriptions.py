"""Applications and services at a root, before anything runs."""

import json

import pytest

from support.conformance_root import NAMESPACE, UNKNOWN, Root, a_free_address, an_sla, refused


def test_creating_an_application_answers_all_of_ones_own_in_a_string(root: Root):
    first = root.create_application()
    sla = an_sla("confanother")

    answer = root.ask("POST", "/api/application/", json=sla).json()

    assert isinstance(answer, str)
    documents = {item["applicationID"]: item for item in json.loads(answer)}
    assert first in documents
    assert documents[first]["userId"] == root.place.user
    assert documents[first]["application_namespace"] == NAMESPACE


def test_the_same_name_and_namespace_conflict(root: Root):
    sla = an_sla("conftwice")
    root.ask("POST", "/api/application/", json=sla)

    assert refused(root.ask("POST", "/api/application/", json=sla), 409)


@pytest.mark.parametrize("name", ["with-dash", "", "x" * 31])
def test_a_name_that_breaks_the_schema_is_unprocessable(root: Root, name: str):
    assert refused(root.ask("POST", "/api/application/", json=an_sla(name)), 422)


def test_another_version_of_the_descriptor_breaks_the_root(root: Root):
    sla = {**an_sla("confold"), "sla_version": "v1.0"}

    assert root.ask("POST", "/api/application/", json=sla).status_code == 500


def test_a_single_application_is_null(root: Root):
    answer = root.ask("GET", f"/api/application/{root.create_application()}")

    assert (answer.status_code, answer.json()) == (200, None)


def test_an_unknown_application_is_not_found(root: Root):
    assert refused(root.ask("GET", f"/api/application/{UNKNOWN}"), 404)


def test_a_path_without_its_slash_redirects_and_keeps_the_body(root: Root):
    answer = root.ask("POST", "/api/application", json=an_sla("confslash"))

    assert [item.status_code for item in answer.history] == [308]
    assert answer.status_code == 200


def test_a_deleted_application_takes_its_services_along(root: Root):
    application = root.create_application()
    service = root.create_services(application, root.a_service()).json()["job_id"]

    answer = root.ask("DELETE", f"/api/application/{application}")

    assert answer.json() == {"message": "Application Deleted"}
    assert root.ask("GET", f"/api/service/{service}").status_code == 404


def test_deleting_an_unknown_application_is_not_implemented(root: Root):
    assert refused(root.ask("DELETE", f"/api/application/{UNKNOWN}"), 501)


def test_a_new_service_is_answered_with_its_id(root: Root):
    created = root.create_services(root.create_application(), root.a_service()).json()

    assert created["failed_services"] == []
    assert [service["service_name"] for service in created["deployed_services"]] == ["svc"]
    assert root.service(created["job_id"])["microservice_name"] == "svc"


def test_a_service_has_no_status_before_it_is_deployed(root: Root):
    service = root.service(root.create_service())

    assert "status" not in service
    assert service["instance_list"] == []


def test_a_container_becomes_a_docker(root: Root):
    assert root.service(root.create_service())["virtualization"] == "docker"


def test_a_job_is_named_after_application_and_service(root: Root):
    service = root.service(root.create_service())

    assert service["job_name"] == f"{service['app_name']}.{NAMESPACE}.svc.{NAMESPACE}"


def test_unknown_fields_are_kept(root: Root):
    assert root.service(root.create_service(whatever="kept"))["whatever"] == "kept"


def test_a_service_address_is_kept(root: Root):
    address = a_free_address()

    assert root.service(root.create_service(addresses={"rr_ip": address}))["RR_ip"] == address


@pytest.mark.parametrize("address", ["10.31.1.1", "192.168.0.1", "10.30.1"])
def test_a_bad_address_is_a_failed_service_with_an_id_that_is_no_more(root: Root, address: str):
    service = root.a_service(addresses={"rr_ip": address})

    answer = root.create_services(root.create_application(), service)

    assert answer.status_code == 200
    assert [service["service_name"] for service in answer.json()["failed_services"]] == ["svc"]
    assert root.ask("GET", f"/api/service/{answer.json()['job_id']}").status_code == 404


def test_an_address_that_another_service_has_is_a_failed_service(root: Root):
    addresses = {"rr_ip": a_free_address()}
    root.create_service(addresses=addresses)

    service = root.a_service(addresses=addresses)
    answer = root.create_services(root.create_application(), service)

    assert (answer.status_code, len(answer.json()["failed_services"])) == (200, 1)


def test_the_address_of_a_deleted_service_is_free_again(root: Root):
    addresses = {"rr_ip": a_free_address()}
    root.ask("DELETE", f"/api/service/{root.create_service(addresses=addresses)}")

    service = root.a_service(addresses=addresses)
    answer = root.create_services(root.create_application(), service)

    assert answer.json()["failed_services"] == []


def test_the_same_name_again_is_the_same_service(root: Root):
    application = root.create_application()
    first = root.create_services(application, root.a_service(memory=20)).json()["job_id"]

    second = root.create_services(application, root.a_service(memory=30)).json()["job_id"]

    assert second == first
    assert root.service(first)["memory"] == 30


def test_of_several_services_the_last_id_is_returned(root: Root):
    services = (root.a_service("one"), root.a_service("two"))

    created = root.create_services(root.create_application(), *services).json()

    assert root.service(created["job_id"])["microservice_name"] == "two"


@pytest.mark.parametrize(
    "wrong",
    [
        {"microservice_name": "with-dash"},
        {"microserviceID": "x"},
        {"memory": "20"},
        {"addresses": {"rr_ip": None}},
        {"environment": "A=1"},
        {"constraints": [{"cluster": "no type"}]},
    ],
    ids=lambda item: next(iter(item)),
)
def test_a_wrong_service_is_a_bad_request(root: Root, wrong: dict):
    answer = root.create_services(root.create_application(), {**root.a_service(), **wrong})

    assert refused(answer, 400)


def test_a_service_for_an_unknown_application_is_a_bad_request(root: Root):
    assert refused(root.create_services(UNKNOWN, root.a_service()), 400)


def test_an_unknown_service_is_not_found(root: Root):
    assert refused(root.ask("GET", f"/api/service/{UNKNOWN}"), 404)


def test_services_cannot_be_updated(root: Root):
    """Roots differ in how they refuse: 501, or an internal error of their own."""
    assert root.ask("PUT", f"/api/service/{UNKNOWN}", json={}).status_code in {500, 501}


def test_deleting_an_unknown_service_is_a_server_error(root: Root):
    assert refused(root.ask("DELETE", f"/api/service/{UNKNOWN}"), 500)


def test_the_services_of_an_unknown_application_are_not_found(root: Root):
    assert refused(root.ask("GET", f"/api/services/{UNKNOWN}"), 404)


def test_a_deleted_service_is_gone(root: Root):
    service = root.create_service()

    answer = root.ask("DELETE", f"/api/service/{service}")

    assert answer.json() == {"message": "Job deleted"}
    assert root.ask("GET", f"/api/service/{service}").status_code == 404
