"""XChaCha20-Poly1305-IETF boxes, wrapped keys, and the envelope of a stored value.

    box      01 | nonce 24 | ciphertext | tag 16            41 bytes more than the plaintext
    wrapped  a box of exactly one key                       73 bytes for a key of 32
    envelope wrapped data key, and a box of the value under that data key

The 192-bit nonce is random (libsodium), so no counter has to survive a restore. Every box is
bound to its place by ``context``: moved to another tenant, path, version, table or vault it
does not open. A data key exists only inside ``seal_value``, ``open_value`` and ``rewrap``, in
guarded memory that is reused and zeroed after each call.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from os import urandom
from typing import Final

from scaivault.crypto import sodium
from scaivault.crypto.memory import LARGEST, Guarded
from scaivault.crypto.sodium import NULL, Pointer, ffi

KEY: Final = 32
NONCE: Final = 24
TAG: Final = 16
OVERHEAD: Final = 1 + NONCE + TAG
WRAPPED: Final = OVERHEAD + KEY

PURPOSES: Final = frozenset(
    {"root-key", "file-key", "system-key", "partner-key", "tenant-key", "dek", "value"}
)

_FORM: Final = b"\x01"
_START: Final = 1 + NONCE
_SEALED: Final = KEY + TAG  # a data key, encrypted
_encrypt: Final = sodium.encrypt
_decrypt: Final = sodium.decrypt
_zero: Final = sodium.zero
_random: Final = sodium.random


class Damaged(Exception):
    """A box does not open: other key, other place, changed bytes. The cause is not told apart."""


class _Scratch:
    """Guarded memory for one data key and the two nonces of a write."""

    __slots__ = ("dek", "dek_nonce", "value_nonce")

    def __init__(self) -> None:
        self.dek: Final[Pointer] = sodium.allocate(_SCRATCH)
        self.dek_nonce: Final = ffi.buffer(self.dek + KEY, NONCE)
        self.value_nonce: Final = ffi.buffer(self.dek + KEY + NONCE, NONCE)


_SCRATCH: Final = KEY + NONCE + NONCE
# As many as threads were ever at once inside an envelope function. ``pop`` and ``append`` are
# atomic; allocating one costs 36 us, taking one 0.06.
_idle: Final[list[_Scratch]] = []


def _borrow() -> _Scratch:
    try:
        return _idle.pop()
    except IndexError:
        return _Scratch()


def _give_back(scratch: _Scratch) -> None:
    _zero(scratch.dek, _SCRATCH)
    _idle.append(scratch)


def seal(key: Guarded, plaintext: bytes, aad: bytes) -> bytes:
    """A box of ``plaintext`` under ``key`` (32 bytes), bound to ``aad``."""
    return seal_with(key, urandom(NONCE), plaintext, aad)


def seal_with(key: Guarded, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """``seal`` with a given nonce: for known answers only. The same nonce twice under one key
    gives both plaintexts away."""
    if len(nonce) != NONCE:
        raise ValueError("a nonce has 24 bytes")
    box = _box(_checked(key), nonce, plaintext, len(plaintext), aad)
    key.confirm()
    return box


def unseal(key: Guarded, box: bytes, aad: bytes) -> bytes:
    """The plaintext of ``box``. ``Damaged`` unless key, box and aad are those of ``seal``."""
    return _opened(_checked(key), box, aad, key)


def wrap(key: Guarded, inner: Guarded, aad: bytes) -> bytes:
    """A box of the key ``inner``, whose bytes never leave guarded memory."""
    box = _box(_checked(key), urandom(NONCE), inner.pointer, len(inner), aad)
    key.confirm()
    inner.confirm()
    return box


def unwrap(key: Guarded, box: bytes, aad: bytes) -> Guarded:
    """The key that ``wrap`` boxed. ``Damaged`` as for ``unseal``, and for a box of nothing."""
    pointer, size = _checked(key), len(box) - OVERHEAD
    if not 0 < size <= LARGEST:
        raise Damaged("a wrapped key has an impossible length")
    inner = Guarded(size)
    _open_into(inner.pointer, pointer, box, aad, key)
    return inner


def seal_value(
    key: Guarded, plaintext: bytes, dek_aad: bytes, value_aad: bytes
) -> tuple[bytes, bytes]:
    """Envelope of ``plaintext`` under a fresh data key: (wrapped data key, box of the value)."""
    pointer, scratch = _checked(key), _borrow()
    try:
        dek = scratch.dek
        _random(dek, _SCRATCH)  # data key and both nonces in one system call
        dek_nonce, value_nonce = bytes(scratch.dek_nonce), bytes(scratch.value_nonce)
        value_box = _box(dek, value_nonce, plaintext, len(plaintext), value_aad)
        dek_box = _box(pointer, dek_nonce, dek, KEY, dek_aad)
    finally:
        _give_back(scratch)
    key.confirm()
    return dek_box, value_box


def open_value(
    key: Guarded, dek_box: bytes, value_box: bytes, dek_aad: bytes, value_aad: bytes
) -> bytes:
    """The value of an envelope. ``Damaged`` unless both boxes belong here."""
    (plaintext,) = open_values(key, ((dek_box, value_box, dek_aad, value_aad),))
    if plaintext is None:
        raise Damaged("an envelope does not open")
    return plaintext


def open_values(
    key: Guarded, envelopes: Iterable[tuple[bytes, bytes, bytes, bytes]]
) -> list[bytes | None]:
    """``open_value`` of many under one key, with its arguments; None for what is ``Damaged``. One
    loop, because for each box the calls in between take as long as the box itself."""
    pointer, scratch = _checked(key), _borrow()
    dek = scratch.dek
    found: list[bytes | None] = []
    try:
        for dek_box, value_box, dek_aad, value_aad in envelopes:
            size = len(value_box) - OVERHEAD
            plaintext = None
            if size >= 0 and len(dek_box) == WRAPPED and dek_box[0] == value_box[0] == 1:
                nonce, sealed = dek_box[1:_START], dek_box[_START:]
                length = len(dek_aad)
                if not _decrypt(dek, NULL, NULL, sealed, _SEALED, dek_aad, length, nonce, pointer):
                    plaintext = bytes(size)  # written in place: the one copy of the value
                    nonce, sealed = value_box[1:_START], value_box[_START:]
                    length = len(value_aad)
                    if _decrypt(
                        plaintext, NULL, NULL, sealed, size + TAG, value_aad, length, nonce, dek
                    ):
                        plaintext = None
            found.append(plaintext)
    finally:
        _give_back(scratch)
    key.confirm()
    return found


def rewrap(
    old_key: Guarded, new_key: Guarded, dek_box: bytes, old_aad: bytes, new_aad: bytes
) -> bytes:
    """The same data key wrapped with ``new_key`` instead; the value's box stays as it is."""
    pointer, new_pointer, scratch = _checked(old_key), _checked(new_key), _borrow()
    try:
        _open_dek(scratch.dek, pointer, dek_box, old_aad, old_key)
        box = _box(new_pointer, urandom(NONCE), scratch.dek, KEY, new_aad)
    finally:
        _give_back(scratch)
    new_key.confirm()
    return box


def context(
    purpose: str,
    vault_id: str,
    scope: str,
    object: str,  # noqa: A002 - the word of the table of contexts
    version: int,
    key_version: int,
) -> bytes:
    """The aad that binds a box to its place: a fixed head, then six length-prefixed parts.

    ``scope``: tenant, partner or slot id, or ``-``; ``object``: what the box is, such as
    ``secret:<path>``. The whole table is in ``docs/formats.md``. All but ``object`` is cached.
    """
    return _head(purpose, vault_id, scope) + _part(object) + _number(version) + _number(key_version)


@lru_cache(maxsize=1024)
def _head(purpose: str, vault_id: str, scope: str) -> bytes:
    if purpose not in PURPOSES:
        raise ValueError(f"{purpose!r} is not a purpose of a box")
    return b"scaivault-aad-1" + _part(purpose) + _part(vault_id) + _part(scope)


@lru_cache(maxsize=1024)
def _number(n: int) -> bytes:
    if n < 0:
        raise ValueError("versions are not negative")
    return _part(str(n))


def _part(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


def _checked(key: Guarded) -> Pointer:
    """A shorter key would be read beyond its end."""
    if len(key) != KEY:
        raise ValueError("a box needs a key of 32 bytes")
    return key.pointer


def _box(key: Pointer, nonce: bytes, plaintext: bytes | Pointer, size: int, aad: bytes) -> bytes:
    sealed = bytes(size + TAG)  # written in place: nobody else has seen it
    _encrypt(sealed, NULL, plaintext, size, aad, len(aad), NULL, nonce, key)
    return _FORM + nonce + sealed


def _opened(pointer: Pointer, box: bytes, aad: bytes, owner: Guarded) -> bytes:
    """Plaintext of ``box`` under the key at ``pointer``, which depends on ``owner``."""
    size = len(box) - OVERHEAD
    if size < 0:
        raise Damaged("a box is too short")
    plaintext = bytes(size)  # written in place: the one copy of the value
    _open_into(plaintext, pointer, box, aad, owner)
    return plaintext


def _open_dek(out: Pointer, key: Pointer, box: bytes, aad: bytes, owner: Guarded) -> None:
    if len(box) != WRAPPED:
        raise Damaged("a wrapped data key has the wrong length")
    _open_into(out, key, box, aad, owner)


def _open_into(out: bytes | Pointer, key: Pointer, box: bytes, aad: bytes, owner: Guarded) -> None:
    """Opens ``box`` into ``out``, which has room for ``len(box) - OVERHEAD``.

    A key wiped meanwhile raises ``Wiped``, not ``Damaged``: nobody may take a row for broken
    because the vault was sealed.
    """
    sealed = box[_START:]
    status = _decrypt(out, NULL, NULL, sealed, len(sealed), aad, len(aad), box[1:_START], key)
    owner.confirm()
    if status != 0 or box[0] != 1:
        raise Damaged("a box does not open")
