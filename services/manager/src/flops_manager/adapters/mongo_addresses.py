"""The address book in MongoDB: a document an address, so that two can never take the same one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from flops_manager.adapters.mongo import MongoDatabase, translated
from flops_manager.domain.deployments import service_address
from flops_manager.domain.errors import StaleProjectError

ATTEMPTS: Final = 64
"""Of 31,878 addresses, so many are tried before one that rested longest is given out again."""


class MongoAddressBook:
    """Keeps every address that was ever given out, with its last key."""

    def __init__(
        self, database: MongoDatabase, now: Callable[[], datetime], *, attempts: int = ATTEMPTS
    ) -> None:
        self._addresses = database["addresses"]
        self._now = now
        self._attempts = attempts

    def create_indexes(self) -> None:
        """Find a key, and the address that rested longest, without reading all."""
        with translated():
            self._addresses.create_index([("key", ASCENDING)])
            self._addresses.create_index([("given_at", ASCENDING)])

    def address_for(self, key: str) -> str:
        """Return the address of ``key``, or write down a new one."""
        with translated():
            known = self._addresses.find_one({"key": key})
            if known is not None:
                return str(known["_id"])
            for attempt in range(self._attempts):
                address = service_address(key, attempt)
                try:
                    self._addresses.insert_one({"_id": address, **self._entry(key)})
                except DuplicateKeyError:
                    # Perhaps somebody asked for the same key at the same moment.
                    if self._addresses.find_one({"_id": address, "key": key}) is None:
                        continue
                return address
            return self._longest_rested(key)

    def give_up(self, key: str, address: str) -> None:
        """Keep the address from everybody until it is the one that rested longest."""
        with translated():
            self._addresses.update_one({"_id": address, "key": key}, {"$set": self._entry("")})

    def _longest_rested(self, key: str) -> str:
        for _ in range(self._attempts):
            oldest = self._addresses.find_one(sort=[("given_at", ASCENDING)])
            if oldest is None:
                break
            # Two may look at the same one at once; only who finds it unchanged gets it.
            if self._addresses.update_one(oldest, {"$set": self._entry(key)}).matched_count:
                return str(oldest["_id"])
        raise StaleProjectError(f"no service address could be given to {key}")

    def _entry(self, key: str) -> dict[str, Any]:
        return {"key": key, "given_at": self._now().astimezone(UTC).isoformat()}
