"""A learner's side of one aggregation: what it hides, seals for its peers, and opens in the end.

The steps come in order, once each; whatever is asked out of order, or would open more than one kind
of a peer's secrets, is refused.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from flops_contracts.errors import FlopsError
from flops_contracts.privacy import LEAST_MEMBERS
from flops_grid.secure.circle import Circle, PublicKeys
from flops_grid.secure.masks import Numbers, add_stream, agreed
from flops_grid.secure.shamir import SECRET_BYTES, SHARE_BYTES, split

FOR_SEALS: Final = b"flops secure aggregation: shares"
FOR_MASKS: Final = b"flops secure aggregation: masks"
NONCE_BYTES: Final = 12


class RefusedError(FlopsError):
    """What a member is asked would tell more than a sum, or is not of this protocol."""


class Member:
    """Hides one update; ``part`` as in ``Circle``."""

    def __init__(self, part: float) -> None:
        self._part = part
        self._seal_key = X25519PrivateKey.generate()
        self._mask_key = X25519PrivateKey.generate()
        self._seed = secrets.token_bytes(SECRET_BYTES)
        self._members: list[PublicKeys] = []
        self._number = -1
        self._partners: set[int] = set()
        self._opened: dict[int, tuple[bytes, bytes]] = {}
        self._is_done = False

    @property
    def keys(self) -> PublicKeys:
        """What the others have to know."""
        return PublicKeys(
            self._seal_key.public_key().public_bytes_raw(),
            self._mask_key.public_key().public_bytes_raw(),
        )

    def share(self, members: Sequence[PublicKeys]) -> dict[int, bytes]:
        """Return shares of both own secrets, sealed for each holder by its number in ``members``.

        Raises ``RefusedError`` for too few, keys that repeat, and a list without the own ones.
        """
        if self._members:
            raise RefusedError("the shares were asked for already")
        keys = [key for one in members for key in (one.seal, one.mask)]
        if len(members) < LEAST_MEMBERS:
            raise RefusedError(f"{len(members)} members are too few to hide one")
        if len(set(keys)) < len(keys):
            raise RefusedError("two members have the same key")
        if self.keys not in members:
            raise RefusedError("the own keys are not among the members'")
        self._members, self._number = list(members), members.index(self.keys)
        circle = Circle(len(members), self._part)
        holders = circle.holders(self._number)
        seeds = split(self._seed, holders, circle.threshold)
        private = self._mask_key.private_bytes_raw()
        private_shares = split(private, holders, circle.threshold)
        self._opened[self._number] = seeds[self._number], private_shares[self._number]
        return {
            one: self._sealed(one, seeds[one] + private_shares[one])
            for one in holders
            if one != self._number
        }

    def mask(self, sealed: Mapping[int, bytes], numbers: Sequence[Numbers]) -> None:
        """Hide ``numbers`` in place; ``sealed`` is what the peers that are still there sealed.

        Raises ``RefusedError`` for peers that are too few or foreign, and for broken seals.
        """
        if not self._members or self._partners:
            raise RefusedError("the numbers are hidden once, after the shares were given")
        circle = Circle(len(self._members), self._part)
        holders = set(circle.holders(self._number)) - {self._number}
        if not set(sealed) <= holders:
            raise RefusedError("shares are of members that hold none of this one's")
        if len(sealed) + 1 < circle.least:
            raise RefusedError(f"{len(sealed)} peers are too few to hide among")
        opened = {one: self._unsealed(one, data) for one, data in sealed.items()}
        for one, share in opened.items():
            self._opened[one] = share[:SHARE_BYTES], share[SHARE_BYTES:]
        self._partners = set(sealed)
        add_stream(self._seed, numbers)
        for one in sorted(self._partners):
            key = agreed(self._mask_key, self._members[one].mask, FOR_MASKS)
            add_stream(key, numbers, is_taken=one < self._number)

    def reveal(self, alive: Sequence[int]) -> dict[int, bytes]:
        """Return a share for each member: of the seed of those ``alive``, else of the mask's key.

        Alive is whose hidden numbers are in the sum. Raises ``RefusedError`` when they are too few,
        and when it is asked again: two answers could open both secrets of one member.
        """
        if not self._partners or self._is_done:
            raise RefusedError("shares are opened once, after the numbers were hidden")
        named, among = set(alive), {*self._partners, self._number}
        present = named & among
        if self._number not in named:
            raise RefusedError("the own numbers are in the sum, but not named")
        if len(present) < Circle(len(self._members), self._part).least:
            raise RefusedError(f"a sum of {len(present)} would tell too much of each")
        self._is_done = True
        return {
            one: self._opened[one][0] if one in named else self._opened[one][1]
            for one in sorted(among)
        }

    def _sealed(self, to: int, data: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._box(to).encrypt(nonce, data, self._label(self._number, to))

    def _unsealed(self, by: int, data: bytes) -> bytes:
        try:
            nonce, sealed = data[:NONCE_BYTES], data[NONCE_BYTES:]
            opened = self._box(by).decrypt(nonce, sealed, self._label(by, self._number))
        except (InvalidTag, ValueError) as error:
            raise RefusedError(f"what member {by} sealed is broken") from error
        if len(opened) != 2 * SHARE_BYTES:
            raise RefusedError(f"what member {by} sealed are no shares")
        return opened

    def _box(self, peer: int) -> ChaCha20Poly1305:
        try:
            return ChaCha20Poly1305(agreed(self._seal_key, self._members[peer].seal, FOR_SEALS))
        except ValueError as error:
            raise RefusedError(f"member {peer} has no good key") from error

    def _label(self, by: int, to: int) -> bytes:
        """Return whose shares for whom these are, so that nobody can send them as another's."""
        return self._members[by].seal + self._members[to].seal
