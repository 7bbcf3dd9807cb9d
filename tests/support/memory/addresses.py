"""The address book in memory; it passes the port's contract."""

import threading

from flops_manager.domain.deployments import service_address


class MemoryAddressBook:
    """Never gives an address twice; ``attempts`` bounds the search as in the database."""

    def __init__(self, attempts: int = 64) -> None:
        self._attempts = attempts
        self._keys: dict[str, str] = {}
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
