"""The environment that an instance starts with."""

from collections.abc import Iterable, Mapping

from flops_contracts.ports import DATA_SERVER_PORT
from flops_local_oakestra.domain.addresses import WorldNetwork
from flops_local_oakestra.domain.topology import Node


def sla_environment(lines: Iterable[str]) -> dict[str, str]:
    """Return the variables of an SLA's ``environment``; without ``=``, a variable is empty."""
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def instance_environment(
    lines: Iterable[str], network: WorldNetwork, node: Node, address: str, number: int
) -> Mapping[str, str]:
    """Return an instance's environment: the SLA's, with translated addresses, and its own.

    A container gets no address to bind, because it has a network of its own.
    """
    return {
        **{name: network.translate(value) for name, value in sla_environment(lines).items()},
        "HOSTNAME": f"instance-{number}",
        **({} if network.is_bridge else {"FLOPS_BIND_ADDRESS": address}),
        "FLOPS_DATA_SERVER_ADDRESS": node.data_server or f"{node.address}:{DATA_SERVER_PORT}",
    }
