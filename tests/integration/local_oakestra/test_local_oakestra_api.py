"""The root's API: shapes, status codes and refusals, the odd ones included."""

import json
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from support.local_oakestra import TIMEOUT, Client, World, a_microservice, an_sla

UNKNOWN = "0" * 24
JWT_STYLE = ["/api/application/x", "/api/applications/x", "/api/applications/"]
TERSE_STYLE = ["/api/service/x", "/api/services/x", "/api/user/Admin", "/api/permission/Admin"]


@pytest.fixture(scope="module")
def ada(world: World) -> Client:
    """A user without the role Admin."""
    return Client(world, "ada", "lovelace")


def error(status: int, phrase: str) -> tuple[int, dict]:
    return status, {"code": status, "status": phrase}


def answer(response: requests.Response) -> tuple[int, object]:
    return response.status_code, response.json()


def a_token(client: Client, **claims: object) -> str:
    """Return a token signed by somebody else."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = jwt.decode(client.login["token"], options={"verify_signature": False})
    return jwt.encode({**own, **claims}, key, algorithm="RS256")


# Logging in and tokens


def test_the_token_carries_the_roots_claims(world: World, client: Client):
    key = requests.get(f"{world.key_url}/key", timeout=TIMEOUT).json()["public_key"]

    claims = jwt.decode(client.login["token"], key, algorithms=["RS256"])

    assert set(claims) == {
        *("sub", "user", "roles", "organization", "type"),
        *("iat", "nbf", "exp", "jti", "csrf", "fresh"),
    }
    assert (claims["sub"], claims["user"], claims["type"]) == ("Admin", "Admin", "access")
    assert claims["exp"] - claims["iat"] == 600
    assert set(claims["roles"]) >= {"Admin", "Application_Provider"}


def test_a_wrong_password_is_unauthorized(client: Client):
    credentials = {"username": "Admin", "password": "wrong"}

    response = client.request("POST", "/api/auth/login", json=credentials)

    assert answer(response) == error(401, "Unauthorized")


def test_a_missing_field_breaks_the_login(client: Client):
    response = client.request("POST", "/api/auth/login", json={"username": "Admin"})

    assert answer(response) == error(500, "Internal Server Error")


def test_an_unknown_organization_is_not_found(client: Client):
    credentials = {"username": "Admin", "password": "Admin", "organization_name": "other"}

    response = client.request("POST", "/api/auth/login", json=credentials)

    assert answer(response) == error(404, "Not Found")


def test_a_refresh_token_gives_a_new_access_token(client: Client):
    header = {"Authorization": f"Bearer {client.login['refresh_token']}"}

    token = client.request("POST", "/api/auth/refresh", headers=header).json()["token"]

    header = {"Authorization": f"Bearer {token}"}
    assert client.request("GET", "/api/permission/Admin", headers=header).status_code == 200


def test_an_access_token_refreshes_nothing(client: Client):
    response = client.request("POST", "/api/auth/refresh")

    assert answer(response) == (422, {"msg": "Only refresh tokens are allowed"})


@pytest.mark.parametrize("path", JWT_STYLE)
def test_applications_explain_a_missing_token(client: Client, path: str):
    response = client.request("GET", path, headers={"Authorization": None})

    assert answer(response) == (401, {"msg": "Missing Authorization Header"})


@pytest.mark.parametrize("path", JWT_STYLE)
def test_applications_explain_a_wrong_signature(client: Client, path: str):
    header = {"Authorization": f"Bearer {a_token(client)}"}

    response = client.request("GET", path, headers=header)

    assert answer(response) == (422, {"msg": "Signature verification failed"})


@pytest.mark.parametrize("path", JWT_STYLE)
def test_applications_explain_a_refresh_token(client: Client, path: str):
    header = {"Authorization": f"Bearer {client.login['refresh_token']}"}

    response = client.request("GET", path, headers=header)

    assert answer(response) == (422, {"msg": "Only non-refresh tokens are allowed"})


@pytest.mark.parametrize("path", TERSE_STYLE)
@pytest.mark.parametrize("token", ["", "nonsense", "refresh", "forged"])
def test_services_and_users_have_one_answer_to_all_bad_tokens(
    client: Client, path: str, token: str
):
    tokens = {"refresh": client.login["refresh_token"], "forged": a_token(client)}
    header = {"Authorization": f"Bearer {tokens.get(token, token)}"}

    response = client.request("GET", path, headers=header)

    assert answer(response) == (401, {"message": "Missing authentication token"})


def test_the_permission_endpoint_tells_the_roles(ada: Client):
    assert answer(ada.request("GET", "/api/permission/ada")) == (
        200,
        {"roles": ["Application_Provider"]},
    )


def test_the_permissions_of_others_are_forbidden(ada: Client):
    assert answer(ada.request("GET", "/api/permission/Admin")) == (
        403,
        {"message": "You have not enough permissions!"},
    )


def test_a_user_document_is_json_that_claims_to_be_a_page(ada: Client):
    response = ada.request("GET", "/api/user/ada")

    assert response.headers["Content-Type"].startswith("text/html")
    assert set(response.json()) == {"_id", "name", "email", "password", "created_at", "roles"}


# Applications


def test_creating_an_application_answers_all_of_the_users_in_a_string(client: Client):
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


def test_two_users_may_have_applications_of_one_name(client: Client, ada: Client):
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


def test_services_that_fail_with_their_application_are_silently_absent(client: Client):
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


def test_deleting_what_is_not_there_is_not_implemented(client: Client, ada: Client):
    foreign = client.create_application("one")

    for application in (UNKNOWN, foreign):
        response = ada.request("DELETE", f"/api/application/{application}")
        assert answer(response) == error(501, "Not Implemented")


# Services


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


def test_of_two_at_once_only_one_gets_the_address(client: Client):
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


def test_of_several_services_only_the_last_id_is_told(client: Client):
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
def test_every_wrong_service_is_a_bad_request(client: Client, wrong: dict):
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


def test_deploying_what_is_not_there_is_ok(client: Client):
    assert answer(client.deploy(UNKNOWN)) == (200, {"message": "ok"})
    assert answer(client.undeploy(UNKNOWN, -1)) == (200, {"message": "ok"})


# Clusters, key and health


def test_active_clusters_need_no_token_and_claim_to_be_a_page(world: World):
    response = requests.get(f"{world.url}/api/clusters/active", timeout=TIMEOUT)

    assert response.headers["Content-Type"].startswith("text/html")
    east, west = response.json()
    assert (east["candidate_name"], east["active_nodes"], east["vcpus"]) == ("east", 1, 4)
    assert west["supported_addons"] == ["FLOps-learner", "image-builder", "image-builder"]
    assert west["ip"] == f"{world.network}.0.12"


def test_a_cluster_lists_its_workers_with_addons_and_what_is_free(world: World, client: Client):
    direct = {"type": "direct", "cluster": "west", "node": "w2"}
    image = world.image("stay", "import signal; signal.pause()")
    service = client.run(image, vcpus=3, memory=1000, constraints=[direct])
    client.until_status(service, "RUNNING")

    url = f"http://{world.network}.0.12:11012/api/v1/resources/"
    workers = requests.get(url, params={"active": "true"}, timeout=TIMEOUT).json()

    assert [worker["candidate_name"] for worker in workers] == ["w1", "w2"]
    w2 = workers[1]
    assert w2["supported_addons"] == ["image-builder"]
    assert w2["ip"] == f"{world.network}.1.3"
    assert (w2["vcpus"], w2["available_vcpus"]) == (8, 5)
    assert (w2["memory"], w2["available_memory"], w2["total_memory"]) == (7000, 7000, 8000)


def test_health_ready_and_metrics_answer(world: World):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert requests.get(world.url + path, timeout=TIMEOUT).status_code == 200


def test_an_unknown_path_has_the_shape_of_all_errors(client: Client):
    assert answer(client.request("GET", "/api/nothing")) == error(404, "Not Found")
