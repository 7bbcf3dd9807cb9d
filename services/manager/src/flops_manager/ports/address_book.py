"""Where it is written down which service address was ever given to which service."""

from typing import Protocol


class AddressBook(Protocol):
    """Gives each key an address that no other key has, or had as long as others are left.

    A service that comes late must not find a stranger where its peer was, so addresses rest
    after use. Every method raises ``StoreUnavailableError`` if the database does not answer.
    """

    def address_for(self, key: str) -> str:
        """Return the address of ``key``: always the same one, until it is given up."""

    def give_up(self, key: str, address: str) -> None:
        """Never offer ``address`` to ``key`` again soon: somebody whom we do not know has it."""
