"""Networks of embedded suites that start at the same time."""

import pytest

from flops_cli.errors import LocalSuiteError
from flops_cli.local.network import CANDIDATES as ALL
from flops_cli.local.network import candidates_of, reserved_network

CANDIDATES = ("127.251", "127.252")


def test_suites_that_start_at_once_get_different_networks():
    with reserved_network(CANDIDATES) as first, reserved_network(CANDIDATES) as second:
        assert {first.prefix, second.prefix} == set(CANDIDATES)
        with pytest.raises(LocalSuiteError, match="no free network"), reserved_network(CANDIDATES):
            pass


def test_a_network_is_free_again_after_its_suite():
    for _ in range(2):
        with reserved_network(CANDIDATES[:1]) as network:
            assert network.prefix == "127.251"


def test_the_network_of_the_setting_is_the_only_one_tried():
    assert (candidates_of(""), candidates_of("127.77")) == (ALL, ("127.77",))


def test_a_network_in_use_is_named_with_its_setting():
    candidates = candidates_of("127.251")

    with (
        reserved_network(candidates),
        pytest.raises(LocalSuiteError, match="FLOPS_LOCAL_NETWORK"),
        reserved_network(candidates),
    ):
        pass


@pytest.mark.parametrize("network", ["10.30", "127", "127.300", "127.x", "127.0.0.1"])
def test_what_is_not_a_network_of_the_loopback_is_refused(network):
    with pytest.raises(LocalSuiteError, match=f"'{network}'"):
        candidates_of(network)
