"""Services at the root: shapes, status codes and refusals, the odd ones included."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.local_oakestra import UNKNOWN, Client, a_microservice, an_sla, answer, error


def test_a_service_document_has_the_roots_fields(client: Client):
    application = client.create_application("one")

    created = client.create_services(application, a_microservice("svc", "image:1", extra="kept"))

    assert created["deployed_services"] == [{"service_name": "svc", "status": 200}]
    assert created["failed_services"] == []
    document = client.service(created["job_id"])
    assert document == {
        "_id": {"$oid": created["job_id"]},
        "microserviceID": created["job_id"],
        "microservice_name": "svc",
        "microservice_namespace": "test",
        "virtualization": "docker",
        "code": "image:1",
        "extra": "kept",
        "job_name": "one.test.svc.test",
        "service_name": "svc",
        "service_ns": "test",
        "app_name": "one",
        "app_ns": "test",
        "applicationID": application,
        "image": "image:1",
        "next_instance_progressive_number": 0,
        "instance_list": [],
    }


@pytest.mark.parametrize("address", ["10.31.1.1", "10.30.1", "192.168.0.1"])
def test_a_bad_service_address_is_a_failed_service_with_a_dead_id(client: Client, address: str):
    application = client.create_application("one")

    created = client.create_services(
        application, a_microservice("svc", addresses={"rr_ip": address})
    )

    assert created["failed_services"] == [
        {"service_name": "svc", "message": "failed to deploy service", "status": 500}
    ]
    path = f"/api/service/{created['job_id']}"
    assert answer(client.request("GET", path)) == error(404, "Not Found")


def test_a_service_address_is_unique_over_all_users(client: Client, ada: Client):
    addresses = {"rr_ip": "10.30.150.1"}
    mine = client.create_application("mine")
    hers = ada.create_application("hers")
    client.create_services(mine, a_microservice("svc", addresses=addresses))

    created = ada.create_services(hers, a_microservice("svc", addresses=addresses))

    ada.request("DELETE", f"/api/application/{hers}")
    assert [entry["service_name"] for entry in created["failed_services"]] == ["svc"]


def test_only_one_of_two_concurrent_services_gets_the_address(client: Client):
    application = client.create_application("race")
    addresses = {"rr_ip": "10.30.150.2"}

    def create(name: str) -> int:
        service = a_microservice(name, addresses=addresses)
        return len(client.create_services(application, service)["deployed_services"])

    with ThreadPoolExecutor(4) as pool:
        deployed = sum(pool.map(create, ["a", "b", "c", "d"]))

    assert deployed == 1


def test_a_freed_service_address_can_be_taken_again(client: Client):
    application = client.create_application("one")
    addresses = {"rr_ip": "10.30.150.3"}
    first = client.create_services(application, a_microservice("a", addresses=addresses))
    client.request("DELETE", f"/api/service/{first['job_id']}")

    second = client.create_services(application, a_microservice("b", addresses=addresses))

    assert second["failed_services"] == []


def test_the_same_name_again_is_the_same_service_listed_twice(client: Client):
    application = client.create_application("one")
    first = client.create_services(application, a_microservice("svc", "image:1"))
    second = client.create_services(application, a_microservice("svc", "image:2"))

    (listed,) = json.loads(client.request("GET", "/api/applications/").json())
    assert listed["microservices"] == [first["job_id"], second["job_id"]]
    assert first["job_id"] == second["job_id"]
    assert client.service(first["job_id"])["image"] == "image:2"


def test_of_several_services_only_the_last_id_is_returned(client: Client):
    application = client.create_application("one")

    created = client.create_services(application, a_microservice("a"), a_microservice("b"))

    assert client.service(created["job_id"])["service_name"] == "b"
    assert len(created["deployed_services"]) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"microservice_name": "with-dash"},
        {"microservice_name": "x" * 31},
        {"microserviceID": "x"},
        {"memory": "100"},
        {"addresses": {"rr_ip": None}},
        {"environment": "A=1"},
        {"virtualization": "unikernel"},
        {"constraints": [{"cluster": "east"}]},
    ],
)
def test_every_invalid_service_is_a_bad_request(client: Client, wrong: dict):
    sla = an_sla("one", {**a_microservice("svc"), **wrong})
    sla["applications"][0]["applicationID"] = client.create_application("one")

    response = client.request("POST", "/api/service/", json=sla)

    assert answer(response) == error(400, "Bad Request")


def test_a_service_for_an_application_of_somebody_else_is_a_bad_request(
    client: Client, ada: Client
):
    sla = an_sla("one", a_microservice())
    sla["applications"][0]["applicationID"] = client.create_application("one")

    response = ada.request("POST", "/api/service/", json=sla)

    assert answer(response) == error(400, "Bad Request")


def test_services_cannot_be_updated(client: Client):
    response = client.request("PUT", f"/api/service/{UNKNOWN}", json={})

    assert answer(response) == error(501, "Not Implemented")


def test_deleting_an_unknown_service_is_a_server_error(client: Client):
    response = client.request("DELETE", f"/api/service/{UNKNOWN}")

    assert answer(response) == error(500, "Internal Server Error")


def test_the_services_of_an_unknown_application_are_not_found(client: Client):
    response = client.request("GET", f"/api/services/{UNKNOWN}")

    assert answer(response) == error(404, "Not Found")


def test_deploying_an_unknown_service_is_ok(client: Client):
    assert answer(client.deploy(UNKNOWN)) == (200, {"message": "ok"})
    assert answer(client.undeploy(UNKNOWN, -1)) == (200, {"message": "ok"})
