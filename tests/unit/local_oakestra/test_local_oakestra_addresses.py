"""The addresses of a world: translation of 10.30.a.b, and addresses of instances."""

import pytest

from flops_local_oakestra.domain.addresses import (
    InstanceAddresses,
    UnusableAddressError,
    WorldNetwork,
    is_acceptable_service_address,
)

NETWORK = WorldNetwork("127.30")


def test_the_parts_of_a_world_have_fixed_addresses():
    assert NETWORK.root == "127.30.0.1"
    assert NETWORK.cluster(1) == "127.30.0.11"
    assert NETWORK.node(2) == "127.30.1.2"
    assert NETWORK.service("10.30.200.9") == "127.30.200.9"


@pytest.mark.parametrize("address", ["10.30.300.5", "10.30.1.x", "10.30.1.-1"])
def test_an_address_that_no_machine_has_is_an_error(address: str):
    with pytest.raises(UnusableAddressError, match=address):
        NETWORK.service(address)


def test_on_a_bridge_the_machine_has_one_address_and_services_the_real_ones():
    bridge = WorldNetwork("10.30", is_bridge=True)

    assert (bridge.root, bridge.node(1), bridge.node(2)) == ("10.30.0.1",) * 3
    assert bridge.service("10.30.200.9") == "10.30.200.9"
    assert bridge.translate("http://10.30.128.1:8080") == "http://10.30.128.1:8080"


@pytest.mark.parametrize("address", ["10.30.0.0", "10.30.0.1", "10.30.255.255"])
def test_no_container_gets_an_address_of_the_network_itself(address: str):
    with pytest.raises(UnusableAddressError, match=address):
        WorldNetwork("10.30", is_bridge=True).service(address)


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("10.30.128.1", "127.30.128.1"),
        ("http://10.30.128.1:8080/x", "http://127.30.128.1:8080/x"),
        ("10.30.128.1,10.30.129.2", "127.30.128.1,127.30.129.2"),
        ("at 10.30.128.1.", "at 127.30.128.1."),
        ("110.30.128.1", "110.30.128.1"),
        ("1.10.30.128.1", "1.10.30.128.1"),
        ("10.30.128.1.5", "10.30.128.1.5"),
        ("10.30.128.1234", "10.30.128.1234"),
        ("version 10.30.1", "version 10.30.1"),
    ],
)
def test_only_whole_service_addresses_are_translated(text: str, translated: str):
    assert NETWORK.translate(text) == translated


def test_instance_addresses_count_up_and_skip_taken_ones():
    addresses = InstanceAddresses(NETWORK)

    taken = [addresses.take({"127.30.64.2"}) for _ in range(3)]

    assert taken == ["127.30.64.1", "127.30.64.3", "127.30.64.4"]


def test_a_released_instance_address_is_not_reused_at_once():
    addresses = InstanceAddresses(NETWORK)

    assert addresses.take(set()) != addresses.take(set())


def test_no_instance_address_ends_in_0_or_255():
    addresses = InstanceAddresses(NETWORK)

    last_octets = {addresses.take(set()).rpartition(".")[2] for _ in range(600)}

    assert last_octets.isdisjoint({"0", "255"})


def test_instance_addresses_can_run_out():
    everything = {f"127.30.{a}.{b}" for a in range(64, 128) for b in range(256)}

    with pytest.raises(UnusableAddressError):
        InstanceAddresses(NETWORK).take(everything)


@pytest.mark.parametrize(
    ("address", "is_acceptable"),
    [
        ("10.30.128.1", True),
        ("10.30.300.5", True),
        ("10.31.128.1", False),
        ("10.30.128", False),
        ("", False),
    ],
)
def test_the_root_checks_only_prefix_and_parts_of_an_address(address: str, is_acceptable: bool):
    assert is_acceptable_service_address(address) is is_acceptable
