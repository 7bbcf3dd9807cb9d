"""Networks of embedded suites that start at the same time."""

import pytest

from flops_cli.errors import LocalSuiteError
from flops_cli.local.network import reserved_network

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
