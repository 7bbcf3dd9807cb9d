"""The aggregator's side of one aggregation: it passes on what is sealed, and takes off the masks.

It has the sum of hidden numbers and, in the end, one secret of each member, never both: the seed of
whom it has numbers from, the mask's key of whom was lost meanwhile.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_contracts.privacy import LEAST_MEMBERS
from flops_grid.secure.circle import Circle, PublicKeys
from flops_grid.secure.masks import Numbers, add_stream, agreed
from flops_grid.secure.member import FOR_MASKS
from flops_grid.secure.shamir import joined


class TooFewMembersError(FlopsError):
    """Too few learners were left to open a sum."""

    exit_code = ExitCode.TOO_FEW_LEARNERS


class Leader:
    """Over ``members``, who are known by their numbers in this order; ``part`` as in ``Circle``."""

    def __init__(self, members: Sequence[PublicKeys], part: float) -> None:
        if len(members) < LEAST_MEMBERS:
            raise TooFewMembersError(
                f"a secure sum needs {LEAST_MEMBERS} learners, there are {len(members)}"
            )
        self._members = list(members)
        self._circle = Circle(len(members), part)
        self._sharing: set[int] = set()

    def passed_on(self, sealed: Mapping[int, Mapping[int, bytes]]) -> dict[int, dict[int, bytes]]:
        """Return for each member that answered what the others sealed for it.

        Raises ``TooFewMembersError``.
        """
        self._sharing = set(sealed)
        self._check_sum(self._sharing, "gave shares")
        return {
            to: {by: boxes[to] for by, boxes in sealed.items() if by != to and to in boxes}
            for to in sealed
        }

    def check_alive(self, alive: AbstractSet[int]) -> None:
        """Raise ``TooFewMembersError`` if what these sent can never be opened."""
        self._check_sum(alive, "sent their update")

    def unmask(
        self,
        alive: AbstractSet[int],
        shares: Mapping[int, Mapping[int, bytes]],
        total: Sequence[Numbers],
    ) -> None:
        """Make the sum of the hidden numbers of those ``alive`` the sum of their numbers, in place.

        ``shares`` are by who gave them and whose they are. Raises ``TooFewMembersError``, and
        ``ValueError`` for shares that are none.
        """
        for one in sorted(self._sharing):
            given = {by: found[one] for by, found in shares.items() if one in found}
            self._check(len(given), self._circle.threshold, "opened their shares")
            secret = joined(given, self._circle.threshold)
            if one in alive:
                add_stream(secret, total, is_taken=True)
            else:
                self._take_pairs(one, secret, alive, total)

    def _take_pairs(
        self, lost: int, secret: bytes, alive: AbstractSet[int], total: Sequence[Numbers]
    ) -> None:
        """Take off what those who were left had added for one that was lost."""
        key = X25519PrivateKey.from_private_bytes(secret)
        if key.public_key().public_bytes_raw() != self._members[lost].mask:
            raise ValueError(f"the shares of member {lost} tell another key")
        for one in sorted(alive & set(self._circle.holders(lost))):
            stream = agreed(key, self._members[one].mask, FOR_MASKS)
            add_stream(stream, total, is_taken=one < lost)

    def _check_sum(self, present: AbstractSet[int], did: str) -> None:
        """Raise ``TooFewMembersError`` if a sum of these is too small, or can never be opened."""
        self._check(len(present), self._circle.least, did)
        for one in self._sharing:
            held = present & set(self._circle.holders(one))
            self._check(len(held), self._circle.least, did)

    def _check(self, count: int, least: int, did: str) -> None:
        if count < least:
            raise TooFewMembersError(
                f"{count} of at least {least} learners {did}: the secure sum cannot be opened"
            )
