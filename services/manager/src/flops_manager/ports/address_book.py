"""The record of which service got which address in the overlay, and which port of nodes."""

from typing import Protocol


class AddressBook(Protocol):
    """Gives each key an address and a port that no other key has.

    A late service or client must not find a stranger there, so both rest after use as long as
    others are left. Every method raises ``StoreUnavailableError`` if the database does not answer.
    """

    def address_for(self, key: str) -> str:
        """Return the address of ``key``: always the same one, until it is given up."""

    def give_up(self, key: str, address: str) -> None:
        """Do not offer ``address`` to ``key`` again soon: a service that we do not know has it."""

    def port_for(self, key: str) -> int:
        """Return the port of ``key``: always the same one, until it is released.

        Raise ``NoPortLeftError`` while every port of the range belongs to another key.
        """

    def release_port(self, key: str) -> None:
        """Give the port of ``key`` to others, as late as possible; it is fine if it has none."""
