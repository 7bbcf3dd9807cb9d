"""Ports in SLAs."""

import pytest

from flops_local_oakestra.domain.published import (
    PublishedPort,
    UnusablePortError,
    clash,
    read_ports,
)


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("", ()),
        ("8080", (PublishedPort("a", 8080, 8080),)),
        ("8080:80", (PublishedPort("a", 8080, 80),)),
        ("53:53/udp;80/tcp", (PublishedPort("a", 53, 53, "udp"), PublishedPort("a", 80, 80))),
    ],
)
def test_ports_are_read_as_the_root_documents_them(text: str, ports: tuple[PublishedPort, ...]):
    assert read_ports(text, "a") == ports


@pytest.mark.parametrize("text", ["x", "80:", "0", "70000", "80:70000", "80/sctp", "1:2:3", "-p"])
def test_an_invalid_port_is_an_error(text: str):
    with pytest.raises(UnusablePortError, match=text):
        read_ports(text, "a")


def test_tcp_and_udp_do_not_clash():
    port = PublishedPort("a", 53, 53)

    assert clash(port, PublishedPort("a", 53, 99))
    assert not clash(port, PublishedPort("a", 53, 53, "udp"))
