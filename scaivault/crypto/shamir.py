"""Shamir's secret sharing, byte by byte over GF(2^8) with the AES polynomial 0x11b.

    share of index x, byte i  =  secret[i] + c1[i] x + c2[i] x^2 + … + c(k-1)[i] x^(k-1)

Coefficients are uniform (zero included: excluding it would tell something). Every product is of
a secret byte with a *public* factor, an index or a Lagrange factor, and is made by shifts and
masks: no branch and no table look-up depends on a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from scaivault.crypto import sodium
from scaivault.crypto.digest import plain
from scaivault.crypto.memory import Buffer, Guarded, wipe

MOST: Final = 32


def split(secret: Guarded, shares: int, threshold: int) -> list[tuple[int, bytearray]]:
    """``shares`` pairs (index from 1, share as long as the secret); any ``threshold`` restore it.

    2 <= threshold <= shares <= 32, else ``ValueError``. The caller wipes the shares.
    """
    if not 2 <= threshold <= shares <= MOST:
        raise ValueError(f"2 <= threshold <= shares <= {MOST} must hold")
    size = len(secret)
    with Guarded.random(size * (threshold - 1)) as coefficients:
        terms = _bytes(coefficients)
        highest_first = [terms[at : at + size] for at in range(0, len(terms), size)]
        made = [(x, _evaluate([*highest_first, _bytes(secret)], x)) for x in range(1, shares + 1)]
    secret.confirm()
    return made


def combine(shares: Mapping[int, Buffer]) -> Guarded:
    """The secret of ``shares`` (index -> share), which must be all genuine and enough.

    With too few, or a changed one, the outcome is another key: check each share against its
    ``digest`` before, and the key against what it opens after. The caller wipes the shares.
    """
    sizes = {len(share) for share in shares.values()}
    if len(shares) < 2 or len(sizes) != 1 or not all(1 <= x <= MOST for x in shares):
        raise ValueError(f"two or more shares of one length, index 1 to {MOST}, are needed")
    total = bytearray(sizes.pop())
    try:
        for x, share in shares.items():
            _add_product(total, share, _lagrange(x, shares))
        return Guarded(len(total)).load(total)
    finally:
        wipe(total)


def digest(index: int, share: Buffer) -> bytes:
    """What the seal file keeps of a share: BLAKE2b-256 of the index byte and the share."""
    joined = bytearray((index, *share))
    try:
        return plain(joined)
    finally:
        wipe(joined)


def product(secret: int, factor: int) -> int:
    """``secret`` times ``factor`` in GF(2^8); time depends on ``factor`` only."""
    result = 0
    while factor:
        result ^= secret & -(factor & 1)
        # Stays below 256, where CPython has the integers ready: nothing is left on the heap.
        secret = ((secret & 0x7F) << 1) ^ (0x1B & -(secret >> 7))
        factor >>= 1
    return result


def _bytes(memory: Guarded) -> memoryview:
    return memoryview(sodium.ffi.buffer(memory.pointer, len(memory)))


def _evaluate(highest_first: list[memoryview], x: int) -> bytearray:
    """Horner's rule, all bytes of the secret at once."""
    share = bytearray(len(highest_first[0]))
    for term in highest_first:
        for i, byte in enumerate(term):
            share[i] = product(share[i], x) ^ byte
    return share


def _add_product(total: bytearray, share: Buffer, factor: int) -> None:
    for i, byte in enumerate(share):
        total[i] ^= product(byte, factor)


def _lagrange(x: int, indexes: Iterable[int]) -> int:
    """Factor of the share at ``x`` for the value at zero: product of u / (u - x)."""
    above, below = 1, 1
    for other in indexes:
        if other != x:
            above, below = product(above, other), product(below, other ^ x)
    return product(above, _inverse(below))


def _inverse(public: int) -> int:
    """a^254, by Fermat."""
    result = 1
    for _ in range(254):
        result = product(result, public)
    return result
