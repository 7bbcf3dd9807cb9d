"""The server of one aggregation: it routes encrypted shares, and removes the masks of the sum.

In the end it recovers one secret of each client, never both: the seed of the own mask of a
survivor, or the private key for pairwise masks of a client that dropped out.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_contracts.privacy import LEAST_MEMBERS
from flops_grid.secure.client import FOR_MASKS
from flops_grid.secure.graph import PublicKeys, ShareGraph
from flops_grid.secure.masks import Numbers, add_mask, agreed_key
from flops_grid.secure.shamir import combine


class TooFewClientsError(FlopsError):
    """Too few learners were left to unmask a sum."""

    exit_code = ExitCode.TOO_FEW_LEARNERS


class SecureServer:
    """For clients with the public ``keys``; ``part`` as in ``ShareGraph``."""

    def __init__(self, keys: Sequence[PublicKeys], part: float) -> None:
        if len(keys) < LEAST_MEMBERS:
            raise TooFewClientsError(
                f"a secure sum needs {LEAST_MEMBERS} learners, there are {len(keys)}"
            )
        self._keys = list(keys)
        self._graph = ShareGraph(len(keys), part)
        self._sharing: set[int] = set()

    def route_shares(
        self, encrypted: Mapping[int, Mapping[int, bytes]]
    ) -> dict[int, dict[int, bytes]]:
        """Return for each client that shared the encrypted shares of the others for it.

        ``encrypted`` has shares by sender and recipient. Raises ``TooFewClientsError``.
        """
        self._sharing = set(encrypted)
        self._check_sum(self._sharing, "sent shares")
        return {
            to: {by: shares[to] for by, shares in encrypted.items() if by != to and to in shares}
            for to in encrypted
        }

    def check_survivors(self, survivors: AbstractSet[int]) -> None:
        """Raise ``TooFewClientsError`` if the sum of these can never be unmasked."""
        self._check_sum(survivors, "sent their update")

    def unmask(
        self,
        survivors: AbstractSet[int],
        shares: Mapping[int, Mapping[int, bytes]],
        total: Sequence[Numbers],
    ) -> None:
        """Remove all masks from ``total``, the sum of the survivors' masked numbers, in place.

        ``shares`` are by the client that sent them and the client they belong to. Raises
        ``TooFewClientsError``, and ``ValueError`` for invalid shares.
        """
        for client in sorted(self._sharing):
            held = {by: sent[client] for by, sent in shares.items() if client in sent}
            self._check(len(held), self._graph.threshold, "revealed their shares")
            secret = combine(held, self._graph.threshold)
            if client in survivors:
                add_mask(secret, total, subtract=True)
            else:
                self._remove_pairwise(client, secret, survivors, total)

    def _remove_pairwise(
        self, dropped: int, secret: bytes, survivors: AbstractSet[int], total: Sequence[Numbers]
    ) -> None:
        """Remove the pairwise masks of the survivors with a client that dropped out."""
        key = X25519PrivateKey.from_private_bytes(secret)
        if key.public_key().public_bytes_raw() != self._keys[dropped].mask:
            raise ValueError(f"the shares of client {dropped} recover a different key")
        for client in sorted(survivors & set(self._graph.holders(dropped))):
            seed = agreed_key(key, self._keys[client].mask, FOR_MASKS)
            add_mask(seed, total, subtract=client < dropped)

    def _check_sum(self, present: AbstractSet[int], action: str) -> None:
        """Raise ``TooFewClientsError`` if a sum of these is too small, or can never be unmasked."""
        self._check(len(present), self._graph.min_clients, action)
        for client in self._sharing:
            held = present & set(self._graph.holders(client))
            self._check(len(held), self._graph.min_clients, action)

    def _check(self, count: int, least: int, action: str) -> None:
        if count < least:
            raise TooFewClientsError(
                f"{count} of at least {least} learners {action}: the secure sum cannot be unmasked"
            )
