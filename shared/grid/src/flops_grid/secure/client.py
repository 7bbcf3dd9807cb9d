"""A client of one aggregation: it shares its secrets, masks its update, and reveals shares.

The steps come in this order, once each; a request out of order is refused, and one that would
reveal both secrets of a peer.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from flops_contracts.errors import FlopsError
from flops_contracts.privacy import LEAST_MEMBERS
from flops_grid.secure.graph import PublicKeys, ShareGraph
from flops_grid.secure.masks import Numbers, add_mask, agreed_key
from flops_grid.secure.shamir import SECRET_BYTES, SHARE_BYTES, split

FOR_SEALS: Final = b"flops secure aggregation: shares"
FOR_MASKS: Final = b"flops secure aggregation: masks"
NONCE_BYTES: Final = 12


class RefusedError(FlopsError):
    """The request would reveal more than a sum, or violates the protocol."""


class SecureClient:
    """Masks one update; ``part`` as in ``ShareGraph``."""

    def __init__(self, part: float) -> None:
        self._part = part
        self._seal_key = X25519PrivateKey.generate()
        self._mask_key = X25519PrivateKey.generate()
        self._seed = secrets.token_bytes(SECRET_BYTES)
        self._keys: list[PublicKeys] = []
        self._number = -1
        self._partners: set[int] = set()
        self._shares: dict[int, tuple[bytes, bytes]] = {}
        self._is_done = False

    @property
    def keys(self) -> PublicKeys:
        """The public keys, which all other clients need."""
        return PublicKeys(
            self._seal_key.public_key().public_bytes_raw(),
            self._mask_key.public_key().public_bytes_raw(),
        )

    def share(self, keys: Sequence[PublicKeys]) -> dict[int, bytes]:
        """Return shares of both own secrets, encrypted for each holder, by its number.

        ``keys`` are those of all clients. Raises ``RefusedError`` for too few or repeated keys, and
        for a list without our own.
        """
        if self._keys:
            raise RefusedError("the shares were requested before")
        distinct = {key for client in keys for key in (client.seal, client.mask)}
        if len(keys) < LEAST_MEMBERS:
            raise RefusedError(f"{len(keys)} clients are too few to hide an update")
        if len(distinct) < 2 * len(keys):
            raise RefusedError("two clients have the same key")
        if self.keys not in keys:
            raise RefusedError("our own keys are missing from the client list")
        self._keys, self._number = list(keys), keys.index(self.keys)
        graph = self._graph
        holders = graph.holders(self._number)
        seeds = split(self._seed, holders, graph.threshold)
        private = self._mask_key.private_bytes_raw()
        private_shares = split(private, holders, graph.threshold)
        self._shares[self._number] = seeds[self._number], private_shares[self._number]
        return {
            holder: self._encrypted(holder, seeds[holder] + private_shares[holder])
            for holder in holders
            if holder != self._number
        }

    def mask(self, encrypted: Mapping[int, bytes], numbers: Sequence[Numbers]) -> None:
        """Mask ``numbers`` in place; ``encrypted`` are the shares of the peers that shared.

        Raises ``RefusedError`` for too few peers, peers that are not neighbours, and shares that
        cannot be decrypted.
        """
        if not self._keys or self._partners:
            raise RefusedError("an update is masked once, after the shares were sent")
        if not set(encrypted) <= set(self._graph.holders(self._number)) - {self._number}:
            raise RefusedError("there are shares of clients that are not neighbours")
        if len(encrypted) + 1 < self._graph.min_clients:
            raise RefusedError(f"{len(encrypted)} peers are too few to hide among")
        decrypted = {peer: self._decrypted(peer, data) for peer, data in encrypted.items()}
        for peer, shares in decrypted.items():
            self._shares[peer] = shares[:SHARE_BYTES], shares[SHARE_BYTES:]
        self._partners = set(encrypted)
        add_mask(self._seed, numbers)
        for peer in sorted(self._partners):
            key = agreed_key(self._mask_key, self._keys[peer].mask, FOR_MASKS)
            add_mask(key, numbers, subtract=peer < self._number)

    def reveal(self, survivors: Sequence[int]) -> dict[int, bytes]:
        """Return a share of each client: of a survivor's seed, or of a dropout's mask key.

        Survivors are the clients whose masked updates are in the sum. Raises ``RefusedError`` for
        too few of them, and for a second call: two replies could reveal both secrets of a client.
        """
        if not self._partners or self._is_done:
            raise RefusedError("shares are revealed once, after the update was masked")
        named, clients = set(survivors), {*self._partners, self._number}
        if self._number not in named:
            raise RefusedError("our own update is in the sum, but we are not among the survivors")
        count = len(named & clients)
        if count < self._graph.min_clients:
            raise RefusedError(f"a sum of {count} clients would reveal individual updates")
        self._is_done = True
        return {
            client: self._shares[client][0 if client in named else 1] for client in sorted(clients)
        }

    @property
    def _graph(self) -> ShareGraph:
        return ShareGraph(len(self._keys), self._part)

    def _encrypted(self, to: int, data: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher(to).encrypt(nonce, data, self._label(self._number, to))

    def _decrypted(self, by: int, data: bytes) -> bytes:
        try:
            nonce, text = data[:NONCE_BYTES], data[NONCE_BYTES:]
            shares = self._cipher(by).decrypt(nonce, text, self._label(by, self._number))
        except (InvalidTag, ValueError) as error:
            raise RefusedError(f"the shares of client {by} cannot be decrypted") from error
        if len(shares) != 2 * SHARE_BYTES:
            raise RefusedError(f"the shares of client {by} have the wrong length")
        return shares

    def _cipher(self, peer: int) -> ChaCha20Poly1305:
        try:
            return ChaCha20Poly1305(agreed_key(self._seal_key, self._keys[peer].seal, FOR_SEALS))
        except ValueError as error:
            raise RefusedError(f"the public key of client {peer} is invalid") from error

    def _label(self, by: int, to: int) -> bytes:
        """Return sender and recipient as associated data: shares cannot be redirected."""
        return self._keys[by].seal + self._keys[to].seal
