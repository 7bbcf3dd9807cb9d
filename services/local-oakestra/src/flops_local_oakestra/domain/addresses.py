"""Which loopback address stands for what: one /16 of 127.0.0.0/8 is a whole world.

On a cluster services reach each other by 10.30.a.b; here the same service has ``<network>.a.b``.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

SERVICE_NETWORK: Final = "10.30."
_SERVICE_ADDRESS: Final = re.compile(r"(?<![\d.])10\.30\.(\d{1,3})\.(\d{1,3})(?![\d])(?!\.\d)")
_FIRST_INSTANCE: Final = 64 << 8
_INSTANCES: Final = 64 << 8


class UnusableAddressError(ValueError):
    """A service address that the root accepts, but that no machine has (10.30.300.5)."""


@dataclass(frozen=True)
class LoopbackNetwork:
    """The addresses of a world; ``prefix`` is its first two octets."""

    prefix: str

    @property
    def root(self) -> str:
        """Where the root, and whatever else belongs to the management, listens."""
        return f"{self.prefix}.0.1"

    def cluster(self, number: int) -> str:
        """Where cluster ``number``, counted from 1, tells its resources."""
        return f"{self.prefix}.0.{10 + number}"

    def node(self, number: int) -> str:
        """Return the address of node ``number``, counted from 1 over all clusters."""
        return f"{self.prefix}.1.{number}"

    def service(self, service_address: str) -> str:
        """Return where the service with this 10.30 address listens on this machine."""
        octets = service_address.removeprefix(SERVICE_NETWORK).split(".")
        if not all(octet.isdecimal() and int(octet) <= 255 for octet in octets):
            raise UnusableAddressError(f"no machine can have the address {service_address}")
        return f"{self.prefix}.{int(octets[0])}.{int(octets[1])}"

    def translate(self, text: str) -> str:
        """Return ``text`` with every 10.30 address replaced by the one on this machine."""
        return _SERVICE_ADDRESS.sub(rf"{self.prefix}.\1.\2", text)


class InstanceAddresses:
    """Hands out addresses for instances without a service address, from ``<network>.64.1`` up.

    It counts on rather than taking the lowest free one, so that an address rests before it is
    used again and nobody talks to a successor by mistake.
    """

    def __init__(self, network: LoopbackNetwork) -> None:
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
    """Say whether the root takes ``address`` as ``rr_ip``: it looks at no more than this."""
    return address.startswith(SERVICE_NETWORK) and len(address.split(".")) == 4
