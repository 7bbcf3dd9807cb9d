"""Shares of a secret: a threshold of them recovers it, and fewer reveal nothing.

Shamir 1979, "How to Share a Secret": values of a random polynomial over a prime field.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Final

SECRET_BYTES: Final = 32
PRIME: Final = 2**256 + 297
"""The smallest prime above all secrets."""
SHARE_BYTES: Final = 33


def split(secret: bytes, holders: Iterable[int], threshold: int) -> dict[int, bytes]:
    """Return a share of ``SHARE_BYTES`` for each holder, a number from 0.

    Raises ``ValueError`` for a secret of other than ``SECRET_BYTES``, and for too few holders.
    """
    listed = list(holders)
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret has {SECRET_BYTES} bytes, not {len(secret)}")
    if not 1 <= threshold <= len(set(listed)):
        raise ValueError(f"the threshold is {threshold}, but there are {len(set(listed))} holders")
    polynomial = [int.from_bytes(secret), *(secrets.randbelow(PRIME) for _ in range(threshold - 1))]
    return {holder: _value(polynomial, holder + 1).to_bytes(SHARE_BYTES) for holder in listed}


def combine(shares: Mapping[int, bytes], threshold: int) -> bytes:
    """Return the secret of at least ``threshold`` shares, by their holders.

    Raises ``ValueError`` for too few shares, and if they are not of one secret.
    """
    if len(shares) < threshold:
        raise ValueError(f"{len(shares)} shares given, {threshold} needed")
    points = [(holder + 1, int.from_bytes(share)) for holder, share in sorted(shares.items())]
    secret = _at_zero(points[:threshold])
    if secret >= 2 ** (8 * SECRET_BYTES):
        raise ValueError("these are not shares of one secret")
    return secret.to_bytes(SECRET_BYTES)


def _value(polynomial: list[int], x: int) -> int:
    value = 0
    for coefficient in reversed(polynomial):
        value = (value * x + coefficient) % PRIME
    return value


def _at_zero(points: list[tuple[int, int]]) -> int:
    """Return the value at 0 of the polynomial through these points (Lagrange)."""
    total = 0
    for x, y in points:
        above, below = 1, 1
        for other, _ in points:
            if other != x:
                above = above * other % PRIME
                below = below * (other - x) % PRIME
        total += y * above * pow(below, -1, PRIME)
    return total % PRIME
