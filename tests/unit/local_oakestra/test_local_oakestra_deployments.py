"""Deployments and the documents of services, on a runtime without processes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from flops_local_oakestra.domain.addresses import WorldNetwork
from flops_local_oakestra.domain.placement import Free
from flops_local_oakestra.domain.published import PublishedPort
from flops_local_oakestra.domain.statuses import Scheduler
from flops_local_oakestra.domain.topology import read_topology
from flops_local_oakestra.usecases.applications import Applications
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.deployments import ALL, Deployments, Rules
from flops_local_oakestra.usecases.reports import Reports
from flops_local_oakestra.usecases.services import Services
from support.local_oakestra import a_microservice, an_sla
from support.memory.runtime import MemoryRuntime, Script
from support.waiting import until

NETWORK = WorldNetwork("127.30")
NODE = {"name": "n1", "vcpus": 4, "memory_mb": 4000}


class MemoryRoot:
    """All use cases with a runtime that starts nothing."""

    def __init__(self, network: WorldNetwork = NETWORK, **rules: str) -> None:
        catalogue = Catalogue()
        ids = map("{:024d}".format, count(1))
        self.clusters = read_topology([{"cluster": "local", "nodes": [NODE]}], network)
        self.node = self.clusters[0].nodes[0]
        self.runtime = MemoryRuntime({"stays": Script(b"log"), "good": Script(b"done", 0)})
        reports = Reports(lambda: datetime.now(UTC))
        self.deployments = Deployments(
            catalogue,
            self.clusters,
            network,
            self.runtime,
            reports,
            Rules(report_seconds=0.05, **rules),
            lambda: datetime.now(UTC),
        )
        self.services = Services(catalogue, self.deployments, reports, lambda: next(ids))
        self.applications = Applications(catalogue, self.services, lambda: next(ids))

    def service(self, name: str = "svc", image: str = "stays", **fields: Any) -> str:
        """Create a service in its own application; return its id."""
        microservice = a_microservice(name, image, **fields)
        return self.applications.create(an_sla(f"app{name}", microservice), "ada")[-1][
            "microservices"
        ][0]

    def deployed(self, **fields: Any) -> str:
        """Return the id of a service with one instance."""
        service = self.service(**fields)
        self.deployments.deploy(service, "ada")
        return service

    def instances(self, service: str) -> list[dict[str, Any]]:
        return self.services.get(service, "ada")["instance_list"]

    def until_status(self, service: str, status: str) -> None:
        until(lambda: self.services.get(service, "ada")["status"] == status, 10, status)


@pytest.fixture
def root() -> Iterator[MemoryRoot]:
    built = MemoryRoot()
    yield built
    built.deployments.close(1.0, 10.0)


def test_a_service_has_no_status_before_its_first_deployment(root: MemoryRoot):
    assert "status" not in root.services.get(root.service(), "ada")


def test_the_status_detail_of_a_service_never_changes(root: MemoryRoot):
    service = root.deployed()

    root.until_status(service, "RUNNING")
    document = root.services.get(service, "ada")
    assert document["status_detail"] == "Waiting for scheduling decision"


def test_instance_numbers_are_not_reused(root: MemoryRoot):
    service = root.deployed()
    root.deployments.undeploy(service, "ada", 0)

    root.deployments.deploy(service, "ada")

    assert [entry["instance_number"] for entry in root.instances(service)] == [1]


def test_a_running_instance_holds_resources(root: MemoryRoot):
    root.deployed(vcpus=3, memory=1000)

    assert root.deployments.free(root.node) == Free(1, 3000)


def test_a_completed_one_shot_frees_its_resources(root: MemoryRoot):
    service = root.deployed(image="good", vcpus=3, one_shot=True)

    root.until_status(service, "COMPLETED")
    until(lambda: root.deployments.free(root.node) == Free(4, 4000))


def test_undeploying_frees_resources(root: MemoryRoot):
    service = root.deployed(vcpus=3)

    root.deployments.undeploy(service, "ada", 0)

    until(lambda: root.deployments.free(root.node) == Free(4, 4000))


def test_logs_are_available_after_the_end(root: MemoryRoot):
    service = root.deployed(image="good", one_shot=True)

    root.until_status(service, "COMPLETED")
    assert root.instances(service)[0]["logs"] == "done"


def test_only_the_first_instance_gets_the_service_address(root: MemoryRoot):
    service = root.deployed(addresses={"rr_ip": "10.30.200.1"})
    root.deployments.deploy(service, "ada")

    addresses = [entry["publicip"] for entry in root.instances(service)]
    assert addresses == ["127.30.200.1", "127.30.64.1"]


def test_a_service_address_that_no_machine_has_fails_the_instance(root: MemoryRoot):
    service = root.deployed(addresses={"rr_ip": "10.30.300.5"})

    (instance,) = root.instances(service)
    assert (instance["status"], instance["status_detail"]) == (
        "FAILED",
        "no machine can have the address 10.30.300.5",
    )


def test_instances_do_not_get_service_addresses(root: MemoryRoot):
    root.service("other", addresses={"rr_ip": "10.30.64.1"})

    service = root.deployed()

    assert root.instances(service)[0]["publicip"] == "127.30.64.2"


def test_a_service_of_another_user_cannot_be_deployed(root: MemoryRoot):
    service = root.service()

    root.deployments.deploy(service, "bob")

    assert root.instances(service) == []


def test_undeploying_all_skips_every_second(root: MemoryRoot):
    service = root.deployed()
    root.deployments.deploy(service, "ada")
    root.deployments.deploy(service, "ada")

    root.deployments.undeploy(service, "ada", ALL)

    assert [entry["instance_number"] for entry in root.instances(service)] == [1]


def test_leftovers_of_a_deleted_service_end_with_the_next_report(root: MemoryRoot):
    service = root.deployed(vcpus=1)
    root.deployments.deploy(service, "ada")

    root.services.delete(service, "ada")

    until(lambda: root.deployments.free(root.node) == Free(4, 4000))


def test_submitting_a_service_again_stops_its_instances(root: MemoryRoot):
    service = root.deployed(vcpus=1)
    application = root.services.get(service, "ada")["applicationID"]
    sla = an_sla("appsvc", a_microservice("svc", "stays"))
    sla["applications"][0]["applicationID"] = application

    again = root.services.create(sla, "ada")

    assert (again["job_id"], root.instances(service)) == (service, [])
    until(lambda: root.deployments.free(root.node) == Free(4, 4000))


def test_updating_an_application_nulls_missing_fields(root: MemoryRoot):
    (application,) = root.applications.create(an_sla("one"), "ada")

    root.applications.update(application["_id"]["$oid"], "ada", {"application_name": "two"})

    (updated,) = root.applications.of_user("ada")
    assert (updated["application_name"], updated["application_desc"]) == ("two", None)


def test_nothing_is_deployed_after_closing(root: MemoryRoot):
    service = root.service()

    assert root.deployments.close(1.0, 10.0)
    root.deployments.deploy(service, "ada")

    assert root.runtime.started == []


# Ports of the machine, which only containers use


@pytest.fixture
def bridged() -> Iterator[MemoryRoot]:
    network = WorldNetwork("10.30", is_bridge=True)
    built = MemoryRoot(network, publish_address="0.0.0.0", public_address="10.30.0.1")
    yield built
    built.deployments.close(1.0, 10.0)


def test_a_published_port_answers_at_the_public_address(bridged: MemoryRoot):
    service = bridged.deployed(port="8080", addresses={"rr_ip": "10.30.200.1"})

    bridged.until_status(service, "RUNNING")
    (workload,) = bridged.runtime.started
    assert bridged.instances(service)[0]["publicip"] == "10.30.0.1"
    assert workload.address == "10.30.200.1"
    assert workload.ports == (PublishedPort("0.0.0.0", 8080, 8080),)


def test_the_second_service_with_a_port_keeps_its_own_address(bridged: MemoryRoot):
    bridged.deployed(name="first", port="8080")

    second = bridged.deployed(name="second", port="8080", addresses={"rr_ip": "10.30.200.2"})

    bridged.until_status(second, "RUNNING")
    assert bridged.instances(second)[0]["publicip"] == "10.30.200.2"
    assert bridged.runtime.started[-1].ports == ()


def test_a_successor_can_use_the_port(bridged: MemoryRoot):
    service = bridged.deployed(port="8080")
    bridged.deployments.undeploy(service, "ada", 0)

    bridged.deployments.deploy(service, "ada")

    assert bridged.instances(service)[0]["publicip"] == "10.30.0.1"


def test_an_invalid_port_fails_the_instance(bridged: MemoryRoot):
    service = bridged.deployed(port="eighty")

    (instance,) = bridged.instances(service)
    assert instance["status"] == "FAILED"
    assert "eighty" in instance["status_detail"]


def test_a_container_gets_its_data_server_and_no_address_to_bind(bridged: MemoryRoot):
    bridged.until_status(bridged.deployed(environment=["PEER=10.30.128.1:8080"]), "RUNNING")

    (workload,) = bridged.runtime.started
    assert workload.environment == {
        "PEER": "10.30.128.1:8080",
        "HOSTNAME": "instance-0",
        "FLOPS_DATA_SERVER_ADDRESS": "10.30.0.1:11027",
    }


def test_the_slas_resources_reach_the_runtime(bridged: MemoryRoot):
    bridged.until_status(bridged.deployed(memory=300, vcpus=1, privileged=True), "RUNNING")

    (workload,) = bridged.runtime.started
    assert (workload.memory_mb, workload.vcpus, workload.has_fuse) == (300, 1, True)


def test_a_scheduler_that_never_answers_leaves_the_service_requested():
    root = MemoryRoot(scheduler=Scheduler.SILENT)

    document = root.services.get(root.deployed(), "ada")

    assert (document["status"], document["instance_list"]) == ("REQUESTED", [])


@pytest.mark.parametrize("answer", [Scheduler.NOT_ACTIVE, Scheduler.NO_CAPACITY])
def test_a_scheduler_may_refuse_everything(answer: Scheduler):
    root = MemoryRoot(scheduler=answer)

    document = root.services.get(root.deployed(), "ada")

    assert (document["status"], document["instance_list"]) == (str(answer), [])
