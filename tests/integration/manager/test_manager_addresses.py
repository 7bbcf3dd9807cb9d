"""Service addresses at a real root: unique, kept, and replaced when another service has them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flops_manager.adapters.oakestra import Oakestra
from flops_manager.adapters.oakestra_session import Account, OakestraSession
from flops_manager.domain.deployments import ApplicationKey, Deployment, service_address
from flops_manager.usecases.addresses import Addresses
from support.inner_root import inner_root
from support.local_oakestra import Client, a_microservice
from support.memory.addresses import MemoryAddressBook
from support.memory.identities import MemoryIdentities

APP = ApplicationKey("proj0123456789ab", "c0123456789ab")
KEYS = [f"aggx{number}" for number in range(8)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    with inner_root(tmp_path_factory.mktemp("oakestra"), {}) as root:
        yield root


@pytest.fixture
def oakestra(root):
    oakestra = Oakestra(OakestraSession(root.url, Account("Admin", "Admin")))
    oakestra.create_application(APP)
    yield oakestra
    oakestra.remove_application(APP)


def deploy(addresses, key):
    return addresses.deploy(key, lambda address: Deployment(APP, key, "none", address=address))


def test_many_who_deploy_at_once_beside_a_stranger_get_an_address_each(root, oakestra):
    stranger = Client(root)
    taken = [service_address(key, 0) for key in KEYS[:3]]
    application = stranger.create_application("stranger")
    for number, address in enumerate(taken):
        service = a_microservice(f"svc{number}", addresses={"rr_ip": address})
        stranger.create_services(application, service)
    addresses = Addresses(oakestra, MemoryAddressBook(), MemoryIdentities())

    with ThreadPoolExecutor(8) as pool:
        deployed = list(pool.map(lambda key: deploy(addresses, key), KEYS))

    given = {item.address for item in deployed}
    assert len(given) == len(KEYS)
    assert given.isdisjoint(taken)
    assert {stranger.service(item.job_id)["RR_ip"] for item in deployed} == given
    stranger.request("DELETE", f"/api/application/{application}")


def test_the_address_of_a_removed_service_is_not_given_to_the_next(oakestra):
    addresses = Addresses(oakestra, MemoryAddressBook(), MemoryIdentities())
    first = deploy(addresses, "aggx1")
    oakestra.undeploy(APP, "aggx1", first.job_id)

    others = {deploy(addresses, key).address for key in KEYS[2:]}

    assert first.address not in others


def test_who_is_deployed_again_after_a_crash_is_found_where_it_was(oakestra):
    book = MemoryAddressBook()
    first = deploy(Addresses(oakestra, book, MemoryIdentities()), "aggx1")

    assert deploy(Addresses(oakestra, book, MemoryIdentities()), "aggx1") == first
