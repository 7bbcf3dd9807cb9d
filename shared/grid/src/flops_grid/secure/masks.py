"""Masks: pseudorandom integers, added by one client and subtracted by the other or the server.

Pairwise keys come from X25519 (RFC 7748) and HKDF-SHA256 (RFC 5869); ChaCha20 (RFC 8439) expands a
key of 256 bits to as many integers as there are parameters.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

KEY_BYTES: Final = 32
NONCE: Final = bytes(16)
"""A key is used for one mask: keys are new in each aggregation."""
PIECE: Final = 1 << 18

Numbers = NDArray[np.uint32]


def agreed_key(own: X25519PrivateKey, public: bytes, purpose: bytes) -> bytes:
    """Return the key that the owner of ``public`` computes as well.

    Raises ``ValueError`` for an invalid or degenerate public key.
    """
    secret = own.exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(secret)


def add_mask(key: bytes, arrays: Iterable[Numbers], *, subtract: bool = False) -> None:
    """Add the mask of ``key`` to the arrays in place, modulo 2^32, or subtract it.

    The mask depends on the order of all numbers, not on how they are split into arrays.
    """
    stream = Cipher(algorithms.ChaCha20(key, NONCE), mode=None).encryptor()
    zeros, drawn = memoryview(bytes(4 * PIECE)), bytearray(4 * PIECE)
    change = np.subtract if subtract else np.add
    for array in arrays:
        flat = array.reshape(-1)
        for start in range(0, flat.size, PIECE):
            piece = flat[start : start + PIECE]
            stream.update_into(zeros[: piece.nbytes], drawn)
            change(piece, np.frombuffer(drawn, "<u4", piece.size), out=piece)
