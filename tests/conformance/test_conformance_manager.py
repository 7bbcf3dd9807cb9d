"""The manager's own adapter at this root: what it promises to the rest of the manager."""

from collections.abc import Iterator

import pytest

from flops_manager.adapters.oakestra import Oakestra
from flops_manager.adapters.oakestra_session import Account, OakestraSession
from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.errors import ServiceAddressTakenError
from flops_manager.domain.states import Health
from support.conformance_root import NAMESPACE, Root, a_free_address

APP = ApplicationKey("confmanager", NAMESPACE)


@pytest.fixture
def oakestra(root: Root) -> Iterator[Oakestra]:
    place = root.place
    oakestra = Oakestra(OakestraSession(place.url, Account(place.user, place.password)))
    yield oakestra
    oakestra.remove_application(APP)


def a_deployment(root: Root, name: str = "svc", address: str = "") -> Deployment:
    return Deployment(APP, name, root.place.image, memory_mb=20, address=address)


def test_a_service_is_deployed_once_seen_and_gone(root: Root, oakestra: Oakestra):
    deployment = a_deployment(root, address=a_free_address())

    first = oakestra.deploy(deployment)

    assert oakestra.deploy(deployment) == first
    assert oakestra.states(APP)["svc"].job_id == first.job_id
    oakestra.undeploy(APP, "svc", first.job_id)
    oakestra.undeploy(APP, "svc", first.job_id)
    assert oakestra.states(APP) == {}


def test_a_taken_address_is_noticed(root: Root, oakestra: Oakestra):
    address = a_free_address()
    oakestra.deploy(a_deployment(root, address=address))

    with pytest.raises(ServiceAddressTakenError):
        oakestra.deploy(a_deployment(root, "other", address))


def test_an_application_is_removed_with_all_instances(root: Root, oakestra: Oakestra):
    root.require_workers()
    job_id = oakestra.deploy(a_deployment(root)).job_id
    for _ in range(2):
        root.deploy(job_id)
    root.until(lambda: len(root.service(job_id)["instance_list"]) == 3, "three instances")

    oakestra.remove_application(APP)

    assert root.ask("GET", f"/api/service/{job_id}").status_code == 404


def test_nodes_are_found(root: Root, oakestra: Oakestra):
    root.require_workers()

    assert all(node.cluster for node in oakestra.nodes())
    assert oakestra.nodes()


def test_what_cannot_be_placed_is_known(root: Root, oakestra: Oakestra):
    root.require_workers()
    oakestra.deploy(Deployment(APP, "huge", root.place.image, memory_mb=100_000_000))

    root.until(
        lambda: oakestra.states(APP)["huge"].health is Health.UNPLACEABLE, "it is unplaceable"
    )
