"""The addresses of a world, all of which are in a /16.

On a cluster services reach each other by 10.30.a.b; here the same service has ``<network>.a.b``.
For processes the network is part of the loopback, for containers a bridge of the engine.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from flops_contracts.ports import DATA_SERVER_PORT

SERVICE_NETWORK: Final = "10.30."
DATA_PORT_STEP: Final = 10
"""Port distance of data servers that share an address; 11028 belongs to the first, too."""
_SERVICE_ADDRESS: Final = re.compile(r"(?<![\d.])10\.30\.(\d{1,3})\.(\d{1,3})(?![\d])(?!\.\d)")
_FIRST_INSTANCE: Final = 64 << 8
_INSTANCES: Final = 64 << 8


class UnusableAddressError(ValueError):
    """A service address that the root accepts, but that no machine can have (10.30.300.5)."""


@dataclass(frozen=True)
class WorldNetwork:
    """The addresses of a world; ``prefix`` is its first two octets.

    Containers reach this machine at a single address, ``machine`` (by default the bridge's
    gateway), so all nodes share it, and so does the only cluster unless ``cluster_addresses`` is
    set. The nodes' data servers differ by port.
    """

    prefix: str
    is_bridge: bool = False
    machine: str = ""
    cluster_addresses: tuple[str, ...] = ()
    data_port: int = DATA_SERVER_PORT

    @property
    def root(self) -> str:
        """The address of the root and of other management services."""
        return f"{self.prefix}.0.1"

    def cluster(self, number: int) -> str:
        """Return the address of the resource API of cluster ``number``, counted from 1."""
        addresses = self.cluster_addresses
        if not addresses and not self.is_bridge:
            return f"{self.prefix}.0.{10 + number}"
        addresses = addresses or (self.machine or self.root,)
        if number > len(addresses):
            raise UnusableAddressError(f"cluster {number} has no address")
        return addresses[number - 1]

    def node(self, number: int) -> str:
        """Return the address of node ``number``, counted from 1 over all clusters."""
        return (self.machine or self.root) if self.is_bridge else f"{self.prefix}.1.{number}"

    def data_server(self, number: int, server: int) -> str:
        """Return the address of the data server of node ``number``, the world's ``server``-th."""
        port = self.data_port + (server - 1) * DATA_PORT_STEP if self.is_bridge else self.data_port
        return f"{self.node(number)}:{port}"

    def service(self, service_address: str) -> str:
        """Return the address on this machine of the service with this 10.30 address."""
        octets = service_address.removeprefix(SERVICE_NETWORK).split(".")
        if not all(octet.isdecimal() and int(octet) <= 255 for octet in octets):
            raise UnusableAddressError(f"no machine can have the address {service_address}")
        address = f"{self.prefix}.{int(octets[0])}.{int(octets[1])}"
        if self.is_bridge and address in self._edges:
            raise UnusableAddressError(f"{service_address} is the network's own address")
        return address

    def translate(self, text: str) -> str:
        """Return ``text`` with every 10.30 address replaced by the one on this machine."""
        return _SERVICE_ADDRESS.sub(rf"{self.prefix}.\1.\2", text)

    @property
    def _edges(self) -> tuple[str, ...]:
        return (f"{self.prefix}.0.0", self.root, f"{self.prefix}.255.255")


class InstanceAddresses:
    """Assigns addresses to instances without a service address, from ``<network>.64.1`` up.

    It counts up rather than taking the lowest free address, so that an address is not reused soon
    and clients of an ended instance do not reach another by mistake.
    """

    def __init__(self, network: WorldNetwork) -> None:
        self._network = network
        self._next = 0

    def take(self, taken: Collection[str]) -> str:
        """Return an address that is not in ``taken``."""
        for _ in range(_INSTANCES):
            number = _FIRST_INSTANCE + self._next % _INSTANCES
            self._next += 1
            address = f"{self._network.prefix}.{number >> 8}.{number & 255}"
            # 0 and 255 look like a network's own addresses to many programs.
            if number & 255 not in {0, 255} and address not in taken:
                return address
        raise UnusableAddressError("all instance addresses are in use")


def is_acceptable_service_address(address: str) -> bool:
    """Return whether the root accepts ``address`` as ``rr_ip``; it checks nothing else."""
    return address.startswith(SERVICE_NETWORK) and len(address.split(".")) == 4
