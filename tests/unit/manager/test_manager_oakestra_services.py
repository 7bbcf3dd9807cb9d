"""Services at a root that answers with success and does something else."""

import pytest

from flops_manager.domain.errors import (
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    ServiceAddressTakenError,
)
from support.scripted_root import (
    APP,
    CREATE,
    CREATED,
    DELETE,
    OK,
    SERVICE,
    START,
    Reply,
    Scripted,
    a_deployment,
    a_service,
    twice,
    with_services,
)

# Creating and deploying: 200 does not promise anything.


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


def test_a_deployment_that_did_nothing_is_not_a_success():
    root = with_services(**{CREATE: CREATED, START: OK, SERVICE: twice(a_service())})

    with pytest.raises(OrchestratorUnavailableError, match="did not deploy"):
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

    with pytest.raises(OrchestratorUnavailableError, match="refused to delete svc1"):
        root.oakestra.undeploy(APP, "svc1", "s1")


def test_a_service_that_somebody_else_deleted_meanwhile_is_fine():
    gone = [twice(a_service()), Reply({"code": 404}, 404)]
    root = Scripted({SERVICE: gone, DELETE: Reply({"code": 500}, 500)})

    root.oakestra.undeploy(APP, "svc1", "s1")


def test_an_application_that_stays_is_an_error():
    root = with_services(**{"DELETE /api/application/a1": Reply({"code": 500}, 500)})

    with pytest.raises(OrchestratorUnavailableError, match="refused to delete proj"):
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
