"""Deployments and the documents of services, on the runtime without processes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from flops_local_oakestra.adapters.memory_runtime import MemoryRuntime, Script
from flops_local_oakestra.domain.addresses import WorldNetwork
from flops_local_oakestra.domain.placement import Free
from flops_local_oakestra.domain.topology import read_topology
from flops_local_oakestra.usecases.applications import Applications
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.deployments import ALL, Deployments, Rules
from flops_local_oakestra.usecases.reports import Reports
from flops_local_oakestra.usecases.services import Services
from support.local_oakestra import a_microservice, an_sla
from support.waiting import until

NETWORK = WorldNetwork("127.30")
NODE = {"name": "n1", "vcpus": 4, "memory_mb": 4000}


class MemoryRoot:
    """All use cases around a runtime that starts nothing."""

    def __init__(self) -> None:
        catalogue = Catalogue()
        ids = map("{:024d}".format, count(1))
        self.clusters = read_topology([{"cluster": "local", "nodes": [NODE]}], NETWORK)
        self.node = self.clusters[0].nodes[0]
        self.runtime = MemoryRuntime({"stays": Script(b"log"), "good": Script(b"done", 0)})
        reports = Reports(lambda: datetime.now(UTC))
        self.deployments = Deployments(
            catalogue,
            self.clusters,
            NETWORK,
            self.runtime,
            reports,
            Rules(report_seconds=0.05),
            lambda: datetime.now(UTC),
        )
        self.services = Services(catalogue, self.deployments, reports, lambda: next(ids))
        self.applications = Applications(catalogue, self.services, lambda: next(ids))

    def service(self, name: str = "svc", image: str = "stays", **fields: Any) -> str:
        """Create a service in an application of its own; return its id."""
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


def test_the_detail_of_the_service_keeps_waiting_for_a_decision(root: MemoryRoot):
    service = root.deployed()

    root.until_status(service, "RUNNING")
    document = root.services.get(service, "ada")
    assert document["status_detail"] == "Waiting for scheduling decision"


def test_instances_are_numbered_on(root: MemoryRoot):
    service = root.deployed()
    root.deployments.undeploy(service, "ada", 0)

    root.deployments.deploy(service, "ada")

    assert [entry["instance_number"] for entry in root.instances(service)] == [1]


def test_resources_are_held_while_it_runs(root: MemoryRoot):
    root.deployed(vcpus=3, memory=1000)

    assert root.deployments.free(root.node) == Free(1, 3000)


def test_resources_are_free_after_a_one_shot_is_done(root: MemoryRoot):
    service = root.deployed(image="good", vcpus=3, one_shot=True)

    root.until_status(service, "COMPLETED")
    until(lambda: root.deployments.free(root.node) == Free(4, 4000))


def test_resources_are_free_after_undeploying(root: MemoryRoot):
    service = root.deployed(vcpus=3)

    root.deployments.undeploy(service, "ada", 0)

    until(lambda: root.deployments.free(root.node) == Free(4, 4000))


def test_logs_are_there_after_the_end(root: MemoryRoot):
    service = root.deployed(image="good", one_shot=True)

    root.until_status(service, "COMPLETED")
    assert root.instances(service)[0]["logs"] == "done"


def test_the_first_instance_has_the_service_address_and_the_second_its_own(root: MemoryRoot):
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


def test_instances_keep_away_from_service_addresses(root: MemoryRoot):
    root.service("other", addresses={"rr_ip": "10.30.64.1"})

    service = root.deployed()

    assert root.instances(service)[0]["publicip"] == "127.30.64.2"


def test_nobody_deploys_what_is_somebody_elses(root: MemoryRoot):
    service = root.service()

    root.deployments.deploy(service, "bob")

    assert root.instances(service) == []


def test_undeploying_all_skips_every_second(root: MemoryRoot):
    service = root.deployed()
    root.deployments.deploy(service, "ada")
    root.deployments.deploy(service, "ada")

    root.deployments.undeploy(service, "ada", ALL)

    assert [entry["instance_number"] for entry in root.instances(service)] == [1]


def test_what_is_left_of_a_deleted_service_ends_with_the_next_report(root: MemoryRoot):
    service = root.deployed(vcpus=1)
    root.deployments.deploy(service, "ada")

    root.services.delete(service, "ada")

    until(lambda: root.deployments.free(root.node) == Free(4, 4000))


def test_submitting_a_service_anew_stops_what_ran_under_its_name(root: MemoryRoot):
    service = root.deployed(vcpus=1)
    application = root.services.get(service, "ada")["applicationID"]
    sla = an_sla("appsvc", a_microservice("svc", "stays"))
    sla["applications"][0]["applicationID"] = application

    again = root.services.create(sla, "ada")

    assert (again["job_id"], root.instances(service)) == (service, [])
    until(lambda: root.deployments.free(root.node) == Free(4, 4000))


def test_updating_an_application_nulls_what_is_left_out(root: MemoryRoot):
    (application,) = root.applications.create(an_sla("one"), "ada")

    root.applications.update(application["_id"]["$oid"], "ada", {"application_name": "two"})

    (updated,) = root.applications.of_user("ada")
    assert (updated["application_name"], updated["application_desc"]) == ("two", None)


def test_nothing_is_deployed_after_the_end(root: MemoryRoot):
    service = root.service()

    assert root.deployments.close(1.0, 10.0)
    root.deployments.deploy(service, "ada")

    assert root.runtime.started == []
