"""The manager's Oakestra adapter against everything that a root may answer wrongly."""

import json

import pytest
import requests

from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.errors import (
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    ServiceAddressTakenError,
)
from flops_manager.domain.states import Health
from support.scripted_root import Reply, Scripted, a_token, twice

APP = ApplicationKey("proj0123456789ab", "c0123456789ab")
APPLICATIONS = "GET /api/applications/u1"
SERVICES = "GET /api/services/a1"
SERVICE = "GET /api/service/s1"
CREATE = "POST /api/service/"
START = "POST /api/service/s1/instance"
DELETE = "DELETE /api/service/s1"

LISTED = twice(
    [
        {
            "application_name": APP.name,
            "application_namespace": APP.namespace,
            "applicationID": "a1",
        }
    ]
)
CREATED = Reply({"job_id": "s1", "deployed_services": [{}], "failed_services": []})
OK = Reply({"message": "ok"})


def a_service(status=None, instances=(), **fields):
    return {
        "_id": {"$oid": "s1"},
        "microserviceID": "s1",
        "microservice_name": "svc1",
        "instance_list": [
            {"instance_number": number, "status": one} for number, one in enumerate(instances)
        ],
        **({"status": status} if status else {}),
        **fields,
    }


def a_deployment(**changes):
    return Deployment(**{"application": APP, "name": "svc1", "image": "i", **changes})


def with_services(*services, **script):
    """Return a root with one application and these services in it."""
    return Scripted({APPLICATIONS: LISTED, SERVICES: twice(list(services)), **script})


# One clear error per class of failure.


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (requests.ConnectTimeout(), OrchestratorUnavailableError, "does not answer in time"),
        (requests.ReadTimeout(), OrchestratorUnavailableError, "does not answer in time"),
        (requests.ConnectionError(), OrchestratorUnavailableError, "cannot be reached"),
        (Reply({"code": 500}, 500), OrchestratorUnavailableError, "failed with 500"),
        (Reply({"code": 400}, 400), OrchestratorRefusedError, "refused .* with 400"),
        (Reply(b"<html>hello"), OrchestratorUnavailableError, "does not understand"),
        (Reply("no json in here"), OrchestratorUnavailableError, "does not understand"),
        (Reply({"a": "dictionary"}), OrchestratorUnavailableError, "does not understand"),
        (Reply([1, 2]), OrchestratorUnavailableError, "does not understand"),
    ],
    ids=["connect", "read", "down", "500", "400", "page", "text", "shape", "items"],
)
def test_each_failure_has_an_error_of_its_own_with_a_hint(reply, kind, words):
    root = Scripted({APPLICATIONS: LISTED, SERVICES: reply})

    with pytest.raises(kind, match=words) as caught:
        root.oakestra.states(APP)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"code": 401}, 401), "FLOPS_OAKESTRA_PASSWORD"),
        (Reply({"code": 500}, 500), "log of its system manager"),
        (Reply({"no": "token"}), "FLOPS_OAKESTRA_URL"),
    ],
    ids=["password", "broken", "another service"],
)
def test_a_login_that_fails_says_what_to_check(reply, words):
    root = Scripted({"POST /api/auth/login": reply})

    with pytest.raises((OrchestratorRefusedError, OrchestratorUnavailableError)) as caught:
        root.oakestra.states(APP)

    assert words in caught.value.hint


# What is null is nothing.


@pytest.mark.parametrize(
    "script",
    [
        {APPLICATIONS: Reply(None)},
        {APPLICATIONS: Reply("null")},
        {APPLICATIONS: LISTED, SERVICES: Reply(None)},
        {APPLICATIONS: LISTED, SERVICES: Reply({"code": 404}, 404)},
    ],
    ids=["applications", "applications in a string", "services", "no application"],
)
def test_null_and_not_found_mean_that_there_is_nothing(script):
    assert Scripted(script).oakestra.states(APP) == {}


def test_null_in_a_service_is_survived():
    root = with_services(a_service(instance_list=None, status=None, RR_ip=None))

    assert root.oakestra.states(APP)["svc1"].health is Health.WAITING


def test_a_user_that_is_null_is_said_to_be_missing():
    with pytest.raises(OrchestratorRefusedError, match="no user Admin"):
        Scripted({"GET /api/user/Admin": Reply(None)}).oakestra.states(APP)


# Trying again, within bounds.


def test_a_question_is_asked_again_while_the_root_is_broken():
    broken = Reply({"code": 503}, 503)
    root = Scripted({APPLICATIONS: LISTED, SERVICES: [broken, broken, twice([a_service()])]})

    assert list(root.oakestra.states(APP)) == ["svc1"]


def test_a_question_is_asked_three_times_at_most():
    root = Scripted({APPLICATIONS: LISTED, SERVICES: Reply({"code": 503}, 503)})

    with pytest.raises(OrchestratorUnavailableError):
        root.oakestra.states(APP)

    assert root.root.asked[SERVICES] == 3


def test_what_is_refused_is_not_asked_again():
    root = Scripted({APPLICATIONS: LISTED, SERVICES: Reply({"code": 400}, 400)})

    with pytest.raises(OrchestratorRefusedError):
        root.oakestra.states(APP)

    assert root.root.asked[SERVICES] == 1


def test_a_service_is_not_created_again_when_the_answer_is_lost():
    root = with_services(**{CREATE: requests.ReadTimeout()})

    with pytest.raises(OrchestratorUnavailableError):
        root.oakestra.deploy(a_deployment())

    assert root.root.asked[CREATE] == 1


# Tokens.


def test_one_login_serves_many_calls():
    root = with_services()

    root.oakestra.states(APP)
    root.oakestra.states(APP)

    assert root.root.asked["POST /api/auth/login"] == 1


def test_a_token_is_refreshed_a_minute_before_its_end():
    root = with_services()
    root.oakestra.states(APP)

    root.seconds = 541
    root.oakestra.states(APP)

    assert root.root.asked["POST /api/auth/refresh"] == 1
    assert root.root.tokens[-1] == f"Bearer {a_token(2)}"


def test_a_refused_refresh_leads_to_a_login():
    root = with_services(**{"POST /api/auth/refresh": Reply({"msg": "expired"}, 401)})
    root.oakestra.states(APP)

    root.seconds = 541
    root.oakestra.states(APP)

    assert root.root.asked["POST /api/auth/login"] == 2


@pytest.mark.parametrize(
    "refusal",
    [
        Reply({"msg": "Token has expired"}, 401),
        Reply({"message": "Missing authentication token"}, 401),
        Reply({"msg": "Signature verification failed"}, 422),
    ],
    ids=["expired", "terse", "another key"],
)
def test_a_token_that_is_no_longer_accepted_is_replaced_and_the_call_repeated(refusal):
    root = Scripted({APPLICATIONS: LISTED, SERVICES: [refusal, twice([a_service()])]})

    assert list(root.oakestra.states(APP)) == ["svc1"]


def test_tokens_that_are_never_accepted_are_no_endless_loop():
    refusal = Reply({"message": "Missing authentication token"}, 401)
    root = Scripted({APPLICATIONS: LISTED, SERVICES: refusal})

    with pytest.raises(OrchestratorRefusedError, match="401"):
        root.oakestra.states(APP)

    assert root.root.asked[SERVICES] == 2


def test_a_descriptor_that_is_refused_is_not_taken_for_a_bad_token():
    refusal = Reply({"code": 422, "status": "Unprocessable Entity"}, 422)
    root = Scripted({APPLICATIONS: twice([]), "POST /api/application/": refusal})

    with pytest.raises(OrchestratorRefusedError, match="422"):
        root.oakestra.create_application(APP)

    assert root.root.asked["POST /api/application/"] == 1


# Creating and deploying: 200 is no promise.


@pytest.mark.parametrize(
    ("address", "kind"),
    [("10.30.200.1", ServiceAddressTakenError), ("", OrchestratorRefusedError)],
)
def test_a_failed_service_is_an_error_though_the_answer_is_200(address, kind):
    failed = {"job_id": "gone", "deployed_services": [], "failed_services": [{"status": 500}]}
    root = with_services(**{CREATE: Reply(failed)})

    with pytest.raises(kind):
        root.oakestra.deploy(a_deployment(address=address))


def test_an_id_of_a_service_that_is_not_there_is_no_success():
    root = with_services(**{CREATE: CREATED})

    with pytest.raises(OrchestratorUnavailableError, match="does not have svc1"):
        root.oakestra.deploy(a_deployment())


def test_a_deployment_that_did_nothing_is_no_success():
    root = with_services(**{CREATE: CREATED, START: OK, SERVICE: twice(a_service())})

    with pytest.raises(OrchestratorUnavailableError, match="did nothing"):
        root.oakestra.deploy(a_deployment())


def test_a_new_service_gets_one_instance():
    after = [twice(a_service()), twice(a_service("REQUESTED"))]
    root = with_services(**{CREATE: CREATED, START: OK, SERVICE: after})

    deployed = root.oakestra.deploy(a_deployment(address="10.30.200.1"))

    assert (deployed.job_id, deployed.address) == ("s1", "10.30.200.1")
    assert root.root.asked[START] == 1


def test_a_service_of_that_name_that_runs_in_another_application_is_not_started_twice():
    running = twice(a_service("RUNNING", ["RUNNING"]))
    root = with_services(**{CREATE: CREATED, START: OK, SERVICE: running})

    root.oakestra.deploy(a_deployment())

    assert root.root.asked[START] == 0


@pytest.mark.parametrize(
    "service",
    [
        a_service("REQUESTED"),
        a_service("CLUSTER_SCHEDULED", ["CLUSTER_SCHEDULED"]),
        a_service("RUNNING", ["RUNNING"]),
        a_service("COMPLETED", ["COMPLETED"]),
        a_service("DEAD", ["DEAD"]),
    ],
    ids=["requested", "scheduled", "running", "completed", "dead"],
)
def test_what_was_deployed_is_not_deployed_again(service):
    root = with_services(service, **{START: OK})

    root.oakestra.deploy(a_deployment())

    assert root.root.asked[START] == 0


@pytest.mark.parametrize(
    "service",
    [a_service(), a_service("NoActiveClusterWithCapacity"), a_service("RUNNING")],
    ids=["new", "not placed", "its instance was removed"],
)
def test_what_has_no_instance_and_will_get_none_is_deployed_again(service):
    root = with_services(service, **{START: OK, SERVICE: twice(a_service("REQUESTED"))})

    root.oakestra.deploy(a_deployment())

    assert root.root.asked[START] == 1


def test_an_instance_that_nobody_ever_places_is_replaced_after_two_minutes():
    stuck = a_service("CLUSTER_SCHEDULED", ["CLUSTER_SCHEDULED"])
    root = with_services(stuck, **{START: OK, SERVICE: twice(a_service("REQUESTED"))})
    root.oakestra.deploy(a_deployment())

    root.seconds = 121
    root.oakestra.deploy(a_deployment())

    assert root.root.asked["DELETE /api/service/s1/instance/0"] == 1
    assert root.root.asked[START] == 1


# Undeploying.


def test_instances_that_the_root_left_over_are_removed_again():
    three = twice(a_service("RUNNING", ["RUNNING"] * 3))
    root = Scripted({SERVICE: [three, three, twice(a_service("RUNNING", ["RUNNING"]))], DELETE: OK})

    root.oakestra.undeploy(APP, "svc1", "s1")

    assert root.root.asked["DELETE /api/service/s1/instance/2"] == 2
    assert root.root.asked[DELETE] == 1


def test_an_instance_that_cannot_be_removed_does_not_keep_its_service():
    two = twice(a_service("RUNNING", ["RUNNING"] * 2))
    root = Scripted({SERVICE: two, DELETE: OK})

    root.oakestra.undeploy(APP, "svc1", "s1")

    assert root.root.asked["DELETE /api/service/s1/instance/1"] == 3
    assert root.root.asked[DELETE] == 1


def test_a_service_that_stays_is_an_error():
    root = Scripted({SERVICE: twice(a_service()), DELETE: Reply({"code": 500}, 500)})

    with pytest.raises(OrchestratorUnavailableError, match="would not delete svc1"):
        root.oakestra.undeploy(APP, "svc1", "s1")


def test_a_service_that_somebody_else_deleted_meanwhile_is_fine():
    gone = [twice(a_service()), Reply({"code": 404}, 404)]
    root = Scripted({SERVICE: gone, DELETE: Reply({"code": 500}, 500)})

    root.oakestra.undeploy(APP, "svc1", "s1")


def test_an_application_that_stays_is_an_error():
    root = with_services(**{"DELETE /api/application/a1": Reply({"code": 500}, 500)})

    with pytest.raises(OrchestratorUnavailableError, match="would not delete proj"):
        root.oakestra.remove_application(APP)


# What services say.


def test_a_log_that_the_root_cut_begins_with_a_whole_line():
    logs = "x" * 1000 + "\nsecond\nthird with an ü\n"
    cut = logs.encode()[-1024:].decode(errors="replace")
    instance = {"instance_number": 0, "status": "RUNNING", "logs": cut}

    root = with_services(a_service("RUNNING", instance_list=[instance]))

    assert root.oakestra.states(APP)["svc1"].logs == "second\nthird with an ü\n"


@pytest.mark.parametrize("logs", ["short\nlog\n", "x" * 1024, "x" * 1023 + "\n"])
def test_a_log_that_is_whole_or_one_long_line_stays_as_it_is(logs):
    instance = {"instance_number": 0, "status": "RUNNING", "logs": logs}

    root = with_services(a_service("RUNNING", instance_list=[instance]))

    assert root.oakestra.states(APP)["svc1"].logs == logs


# Nodes, at current and older roots.

CLUSTERS = "GET /api/clusters/active"
WORKERS = "GET /api/v1/resources/"


def a_cluster(name="west", **fields):
    return {
        "candidate_name": name,
        "ip": name,
        "active_nodes": 2,
        "supported_addons": ["FLOps-learner", "FLOps-learner", "image-builder"],
        "memory": "4000",
        "vcpus": 8,
        **fields,
    }


def current(name="west"):
    return a_cluster(name, csi_drivers=[])


def test_workers_are_listed_by_their_cluster():
    worker = {"candidate_name": "w1", "ip": "192.0.2.1", "supported_addons": ["FLOps-learner"]}
    root = Scripted({CLUSTERS: Reply([current()]), WORKERS: Reply([worker])})

    (node,) = root.oakestra.nodes()

    assert (node.cluster, node.name, node.address) == ("west", "w1", "192.0.2.1")


def test_no_active_cluster_is_no_node():
    assert Scripted({CLUSTERS: Reply([])}).oakestra.nodes() == ()


def test_an_older_root_places_by_addon_so_one_node_with_it_is_enough():
    root = Scripted({CLUSTERS: Reply([a_cluster()]), WORKERS: requests.ConnectionError()})

    (node,) = root.oakestra.nodes()

    assert (node.cluster, node.name) == ("west", "")
    assert node.addons == {"FLOps-learner", "image-builder"}
    assert node.memory_mb == 4000


def test_a_current_root_ignores_addons_so_every_node_must_have_it():
    root = Scripted({CLUSTERS: Reply([current()]), WORKERS: requests.ConnectionError()})

    (node,) = root.oakestra.nodes()

    assert node.addons == {"FLOps-learner"}


def test_at_a_current_root_a_silent_cluster_is_left_out_where_another_one_talks():
    worker = {"candidate_name": "w1", "supported_addons": []}
    root = Scripted(
        {
            CLUSTERS: Reply([current("east"), current("west")]),
            "GET http://east:11012/api/v1/resources/": Reply([worker]),
            "GET http://west:11012/api/v1/resources/": requests.ConnectionError(),
        }
    )

    assert [one.name for one in root.oakestra.nodes()] == ["w1"]


def test_what_a_cluster_says_that_nobody_understands_is_no_list():
    root = Scripted({CLUSTERS: Reply([a_cluster()]), WORKERS: Reply(json.loads('{"a": 1}'))})

    assert [one.name for one in root.oakestra.nodes()] == [""]
