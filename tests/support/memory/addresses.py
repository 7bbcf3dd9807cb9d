"""The address book in memory; it passes the port's contract."""

import threading
from functools import partial

from flops_manager.domain.deployments import PortRange, published_port, service_address
from flops_manager.domain.errors import NoPortLeftError


class MemoryAddressBook:
    """Never gives an address twice; ``attempts`` bounds the search as in the database."""

    def __init__(self, attempts: int = 64, ports: PortRange | None = None) -> None:
        self._attempts = attempts
        self._candidate = partial(published_port, ports=(ports or PortRange()).numbers)
        self._keys: dict[str, str] = {}
        self._ports: dict[int, str] = {}
        self._lock = threading.Lock()

    def address_for(self, key: str) -> str:
        """Return the address of ``key``, or remember a new one."""
        with self._lock:
            current = next((at for at, whose in self._keys.items() if whose == key), "")
            fresh = (service_address(key, attempt) for attempt in range(self._attempts))
            unused = (address for address in fresh if address not in self._keys)
            address = current or next(unused, "") or next(iter(self._keys))
            if address != current:
                # Last in the order of the dictionary, which is how long they have rested.
                self._keys.pop(address, None)
                self._keys[address] = key
            return address

    def give_up(self, key: str, address: str) -> None:
        """Leave the address unused for as long as possible."""
        with self._lock:
            if self._keys.get(address) == key:
                del self._keys[address]
                self._keys[address] = ""

    def port_for(self, key: str) -> int:
        """Return the port of ``key``, or remember a new one."""
        with self._lock:
            current = next((port for port, whose in self._ports.items() if whose == key), 0)
            fresh = (self._candidate(key, attempt) for attempt in range(self._attempts))
            unused = (port for port in fresh if port not in self._ports)
            released = (port for port, whose in self._ports.items() if not whose)
            port = current or next(unused, 0) or next(released, 0)
            if not port:
                raise NoPortLeftError("Every published port belongs to another service.")
            if port != current:
                self._ports.pop(port, None)
                self._ports[port] = key
            return port

    def release_port(self, key: str) -> None:
        """Leave the port unused for as long as possible."""
        with self._lock:
            for port in [port for port, whose in self._ports.items() if whose == key]:
                del self._ports[port]
                self._ports[port] = ""
