"""Numbers that two members know and nobody else: added by one and taken away by the other.

Keys are agreed on by X25519 (RFC 7748), derived by HKDF-SHA256 (RFC 5869), and stretched by
ChaCha20 (RFC 8439) to as many numbers as there are parameters. All of a key's 256 bits count.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

KEY_BYTES: Final = 32
NONCE: Final = bytes(16)
"""A key is used for one stream: keys are new in each aggregation."""
PIECE: Final = 1 << 18

Numbers = NDArray[np.uint32]


def agreed(own: X25519PrivateKey, public: bytes, purpose: bytes) -> bytes:
    """Return the key that the owner of the other private key gets as well.

    Raises ``ValueError`` for bytes that are no public key, or one that agrees on nothing.
    """
    secret = own.exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(secret)


def add_stream(key: bytes, arrays: Iterable[Numbers], *, is_taken: bool = False) -> None:
    """Add the numbers of ``key`` to all numbers of the arrays in place, modulo 2^32, or take them.

    The numbers are the same however the arrays are cut, as long as their order is.
    """
    stream = Cipher(algorithms.ChaCha20(key, NONCE), mode=None).encryptor()
    zeros, drawn = memoryview(bytes(4 * PIECE)), bytearray(4 * PIECE)
    change = np.subtract if is_taken else np.add
    for array in arrays:
        flat = array.reshape(-1)
        for start in range(0, flat.size, PIECE):
            piece = flat[start : start + PIECE]
            stream.update_into(zeros[: piece.nbytes], drawn)
            change(piece, np.frombuffer(drawn, "<u4", piece.size), out=piece)


def is_sane(arrays: Sequence[NDArray[Any]]) -> bool:
    """Say whether masks can be added to these where they lie."""
    return all(one.dtype == np.uint32 and one.flags.c_contiguous for one in arrays)
