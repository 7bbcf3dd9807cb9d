"""The record of which service address was ever given to which service."""

from typing import Protocol


class AddressBook(Protocol):
    """Gives each key an address that no other key has, or had as long as others are left.

    A late service must not find a stranger at its peer's address, so addresses rest
    after use. Every method raises ``StoreUnavailableError`` if the database does not answer.
    """

    def address_for(self, key: str) -> str:
        """Return the address of ``key``: always the same one, until it is given up."""

    def give_up(self, key: str, address: str) -> None:
        """Do not offer ``address`` to ``key`` again soon: a service that we do not know has it."""
