"""The address book in MongoDB: a document per address, so that two never take the same one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from flops_manager.adapters.mongo import MongoDatabase, translated
from flops_manager.domain.deployments import service_address
from flops_manager.domain.errors import StaleProjectError

ATTEMPTS: Final = 64
"""How many of 31,878 addresses are tried before the one unused longest is given out again."""


class MongoAddressBook:
    """Stores every address that was ever given out, with its last key."""

    def __init__(
        self, database: MongoDatabase, now: Callable[[], datetime], *, attempts: int = ATTEMPTS
    ) -> None:
        self._addresses = database["addresses"]
        self._now = now
        self._attempts = attempts

    def create_indexes(self) -> None:
        """Make finding a key, and the address unused longest, fast."""
        with translated():
            self._addresses.create_index([("key", ASCENDING)])
            self._addresses.create_index([("given_at", ASCENDING)])

    def address_for(self, key: str) -> str:
        """Return the address of ``key``, or store a new one."""
        with translated():
            entry = self._addresses.find_one({"key": key})
            if entry is not None:
                return str(entry["_id"])
            for attempt in range(self._attempts):
                address = service_address(key, attempt)
                try:
                    self._addresses.insert_one({"_id": address, **self._entry(key)})
                except DuplicateKeyError:
                    # Perhaps another call stored the same key at the same moment.
                    if self._addresses.find_one({"_id": address, "key": key}) is None:
                        continue
                return address
            return self._longest_unused(key)

    def give_up(self, key: str, address: str) -> None:
        """Withhold the address until it is the one unused longest."""
        with translated():
            self._addresses.update_one({"_id": address, "key": key}, {"$set": self._entry("")})

    def _longest_unused(self, key: str) -> str:
        for _ in range(self._attempts):
            oldest = self._addresses.find_one(sort=[("given_at", ASCENDING)])
            if oldest is None:
                break
            # Two callers may read the same one at once; only the first finds it unchanged.
            if self._addresses.update_one(oldest, {"$set": self._entry(key)}).matched_count:
                return str(oldest["_id"])
        raise StaleProjectError(f"no service address is available for {key}")

    def _entry(self, key: str) -> dict[str, Any]:
        return {"key": key, "given_at": self._now().astimezone(UTC).isoformat()}
