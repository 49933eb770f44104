"""Keys from keys, and keys from passphrases."""

from __future__ import annotations

from typing import Final

from scaivault.crypto import sodium
from scaivault.crypto.memory import Buffer, Guarded

SALT: Final = 16
OPS: Final = (1, 10)
MEM_KIB: Final = (64 * 1024, 2 * 1024 * 1024)
_ARGON2ID13: Final = 2


def derive(key: Guarded, n: int, ctx: bytes) -> Guarded:
    """Sub-key ``n`` (below 2^64) of ``key`` (32 bytes) in the context ``ctx`` (8 bytes).

    libsodium's ``crypto_kdf``: BLAKE2b-256 of nothing, keyed, salt ``n`` little-endian in 16
    bytes, personalisation ``ctx`` padded with zeros to 16.
    """
    if len(key) != 32 or len(ctx) != 8 or not 0 <= n < 2**64:
        raise ValueError("derive takes a 32-byte key, a number below 2^64 and an 8-byte context")
    made = Guarded()
    salt, personal = n.to_bytes(16, "little"), ctx.ljust(16, b"\0")
    if sodium.blake2b(made.pointer, 32, sodium.NULL, 0, key.pointer, 32, salt, personal) != 0:
        raise RuntimeError("libsodium could not derive a key")
    key.confirm()
    return made


def argon2id(passphrase: Buffer, salt: bytes, ops: int, mem_kib: int) -> Guarded:
    """Argon2id version 1.3, one lane (RFC 9106): 32 bytes. Takes seconds and ``mem_kib`` KiB.

    The bounds hold before any work is done, because they come from a file that may be hostile.
    ``ValueError`` outside of them, ``MemoryError`` when the system has not that much.
    """
    if len(salt) != SALT:
        raise ValueError(f"an Argon2id salt has {SALT} bytes")
    if not OPS[0] <= ops <= OPS[1]:
        raise ValueError(f"ops must be {OPS[0]} to {OPS[1]}")
    if not MEM_KIB[0] <= mem_kib <= MEM_KIB[1]:
        raise ValueError(f"mem_kib must be {MEM_KIB[0]} to {MEM_KIB[1]}")
    made = Guarded()
    words = sodium.ffi.from_buffer("char[]", passphrase)
    arguments = (words, len(passphrase), salt, ops, mem_kib * 1024, _ARGON2ID13)
    if sodium.argon2(made.pointer, 32, *arguments) != 0:
        raise MemoryError(f"Argon2id needs {mem_kib} KiB, which the system does not have")
    return made
