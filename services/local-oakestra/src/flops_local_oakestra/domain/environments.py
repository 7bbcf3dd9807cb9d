"""The environment that an instance starts with."""

from collections.abc import Iterable, Mapping

from flops_local_oakestra.domain.addresses import FLIGHT_PORT, WorldNetwork
from flops_local_oakestra.domain.topology import Node


def asked_environment(lines: Iterable[str]) -> dict[str, str]:
    """Return the variables of an SLA's ``environment``; a line without ``=`` is an empty one."""
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def instance_environment(
    lines: Iterable[str], network: WorldNetwork, node: Node, address: str, number: int
) -> Mapping[str, str]:
    """Return what an instance is told: what was asked, in this machine's addresses, and its own.

    A container is told no address to bind: all of its own network belongs to it.
    """
    asked = asked_environment(lines)
    return {
        **{name: network.translate(value) for name, value in asked.items()},
        "HOSTNAME": f"instance-{number}",
        **({} if network.is_bridge else {"FLOPS_BIND_ADDRESS": address}),
        "FLOPS_DATA_SERVER_ADDRESS": node.data_server or f"{node.address}:{FLIGHT_PORT}",
    }
