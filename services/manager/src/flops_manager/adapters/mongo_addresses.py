"""The address book in MongoDB: a document per address and port, so that two never take the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Generic, TypeVar

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from flops_manager.adapters.mongo import MongoDatabase, translated
from flops_manager.domain.deployments import PortRange, published_port, service_address
from flops_manager.domain.errors import NoPortLeftError, StaleProjectError

V = TypeVar("V", str, int)

ATTEMPTS: Final = 64
"""How many of 31,878 addresses are tried before the one unused longest is given out again."""


class MongoAddressBook:
    """Stores every address and port that was ever given out, with its last key."""

    def __init__(
        self,
        database: MongoDatabase,
        now: Callable[[], datetime],
        ports: PortRange,
        *,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._addresses: _Entries[str] = _Entries(
            database["addresses"], service_address, now, attempts
        )
        self._ports: _Entries[int] = _Entries(
            database["ports"], partial(published_port, ports=ports.numbers), now, attempts
        )
        self._range = ports

    def create_indexes(self) -> None:
        """Make finding a key, and what is unused longest, fast."""
        self._addresses.create_indexes()
        self._ports.create_indexes()

    def address_for(self, key: str) -> str:
        """Return the address of ``key``, or store a new one."""
        with translated():
            address = self._addresses.current(key) or self._addresses.fresh(key)
            # Addresses that are in use may be the oldest; they are not released one by one.
            address = address or self._addresses.oldest(key, {})
        if address is None:
            raise StaleProjectError(f"no service address is available for {key}")
        return address

    def give_up(self, key: str, address: str) -> None:
        """Withhold the address until it is the one unused longest."""
        with translated():
            self._addresses.release({"_id": address, "key": key})

    def port_for(self, key: str) -> int:
        """Return the port of ``key``, or store a new one."""
        with translated():
            port = self._ports.current(key) or self._ports.fresh(key)
            port = port or self._ports.oldest(key, {"key": ""})
        if port is None:
            raise NoPortLeftError(
                f"Every published port of {self._range} belongs to another service.",
                hint="Delete served models that nobody needs, or widen FLOPS_PUBLISHED_PORTS.",
            )
        return port

    def release_port(self, key: str) -> None:
        """Withhold the port until it is the one unused longest."""
        with translated():
            self._ports.release({"key": key})


class _Entries(Generic[V]):
    """A collection with a document per value: its key, empty after release, and since when."""

    def __init__(
        self,
        collection: Any,
        candidate: Callable[[str, int], V],
        now: Callable[[], datetime],
        attempts: int,
    ) -> None:
        self._collection = collection
        self._candidate: Callable[[str, int], V] = candidate
        self._now = now
        self._attempts = attempts

    def create_indexes(self) -> None:
        """See ``MongoAddressBook``."""
        with translated():
            self._collection.create_index([("key", ASCENDING)])
            self._collection.create_index([("given_at", ASCENDING)])

    def current(self, key: str) -> V | None:
        """Return the value of ``key``, if it has one."""
        entry = self._collection.find_one({"key": key})
        value: V | None = entry["_id"] if entry else None
        return value

    def fresh(self, key: str) -> V | None:
        """Store and return a value that nobody ever had; None if none was found."""
        for attempt in range(self._attempts):
            value = self._candidate(key, attempt)
            try:
                self._collection.insert_one({"_id": value, **self._entry(key)})
            except DuplicateKeyError:
                # Perhaps another call stored the same key at the same moment.
                if self._collection.find_one({"_id": value, "key": key}) is None:
                    continue
            return value
        return None

    def oldest(self, key: str, among: dict[str, Any]) -> V | None:
        """Store and return the value that was given out or released longest ago."""
        for _ in range(self._attempts):
            entry = self._collection.find_one(among, sort=[("given_at", ASCENDING)])
            if entry is None:
                return None
            # Two callers may read the same one at once; only the first finds it unchanged.
            if self._collection.update_one(entry, {"$set": self._entry(key)}).matched_count:
                value: V = entry["_id"]
                return value
        return None

    def release(self, which: dict[str, Any]) -> None:
        """Take a value from its key."""
        self._collection.update_many(which, {"$set": self._entry("")})

    def _entry(self, key: str) -> dict[str, Any]:
        return {"key": key, "given_at": self._now().astimezone(UTC).isoformat()}
