"""Instances below a root: deployed, observed, undeployed."""

import pytest

from support.conformance_root import CHATTY, ENDS, UNKNOWN, Root


@pytest.fixture
def busy(root: Root) -> Root:
    """A root below which something can run."""
    root.require_workers()
    return root


def test_deploying_what_is_not_there_is_ok(root: Root):
    answer = root.deploy(UNKNOWN)

    assert (answer.status_code, answer.json()) == (200, {"message": "ok"})


def test_undeploying_what_is_not_there_is_ok(root: Root):
    answer = root.undeploy(UNKNOWN, -1)

    assert (answer.status_code, answer.json()) == (200, {"message": "ok"})


def test_a_deployed_service_has_a_status_at_once(root: Root):
    service = root.create_service()

    root.deploy(service)

    assert root.service(service)["status"]


def test_a_service_runs_and_says_where_and_what(busy: Root):
    service = busy.create_service()
    busy.deploy(service)

    instance = busy.until_instance(service, "RUNNING")

    assert instance["instance_number"] == 0
    assert instance.get("publicip") or instance["host_ip"]
    said = "flops was here"
    busy.until(lambda: said in busy.service(service)["instance_list"][0]["logs"], "its log")


def test_a_one_shot_that_ends_well_is_completed(busy: Root):
    service = busy.create_service(cmd=ENDS, one_shot=True)
    busy.deploy(service)

    busy.until_instance(service, "COMPLETED")


def test_a_one_shot_that_fails_is_dead(busy: Root):
    service = busy.create_service(cmd=["sh", "-c", "exit 3"], one_shot=True)
    busy.deploy(service)

    busy.until_instance(service, "DEAD", "FAILED")


def test_logs_are_the_last_kilobyte(busy: Root):
    """A node reports regularly what runs; of a one-shot that ends at once it may report nothing."""
    service = busy.create_service(cmd=CHATTY)
    busy.deploy(service)
    busy.until_instance(service, "RUNNING")

    def logs() -> str:
        return busy.service(service)["instance_list"][0]["logs"]

    busy.until(lambda: logs().rstrip().endswith("line 399"), "its log")
    assert len(logs().encode()) <= 1024


def test_an_undeployed_instance_is_gone_at_once(busy: Root):
    service = busy.create_service()
    busy.deploy(service)
    number = busy.until_instance(service, "RUNNING")["instance_number"]

    busy.undeploy(service, number)

    assert busy.service(service)["instance_list"] == []


def test_undeploying_all_skips_every_second_instance(busy: Root):
    service = busy.create_service()
    for _ in range(3):
        busy.deploy(service)
    busy.until(lambda: len(busy.service(service)["instance_list"]) == 3, "three instances")

    busy.undeploy(service, -1)

    assert len(busy.service(service)["instance_list"]) == 1


def test_a_cluster_that_is_not_there_is_a_status_of_the_service(root: Root):
    direct = {"type": "direct", "cluster": "noclusterhasthisname", "node": "n"}
    service = root.create_service(constraints=[direct])
    root.deploy(service)

    statuses = {"TargetClusterNotActive", "TargetClusterNotFound"}
    root.until(lambda: root.service(service)["status"] in statuses, " or ".join(statuses))
    assert root.service(service)["instance_list"] == []


def test_more_memory_than_there_is_is_a_status_of_the_service(busy: Root):
    service = busy.create_service(memory=100_000_000)
    busy.deploy(service)

    statuses = {"NoActiveClusterWithCapacity", "NO_WORKER_CAPACITY"}
    busy.until(lambda: busy.service(service)["status"] in statuses, " or ".join(statuses))


def test_an_instance_goes_to_the_node_that_was_named(busy: Root):
    cluster, (worker, *_) = busy.workers()
    direct = {"type": "direct", "cluster": cluster, "node": worker["candidate_name"]}
    service = busy.create_service(constraints=[direct])
    busy.deploy(service)

    instance = busy.until_instance(service, "RUNNING")

    assert instance["host_ip"] == worker["ip"]
