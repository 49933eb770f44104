"""BLAKE2b in the forms the vault uses, canonical JSON, and the links of the audit chain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from scaivault.crypto import sodium
from scaivault.crypto.memory import Guarded

SIZE: Final = 32
_ZERO: Final = bytes(16)
_EXACT: Final = 2**53 - 1
_SAFE: Final = frozenset({str, bool, type(None)})
_json: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def plain(data: bytes | bytearray) -> bytes:
    """BLAKE2b-256."""
    return hashlib.blake2b(data, digest_size=SIZE).digest()


def personal(p: bytes, data: bytes) -> bytes:
    """BLAKE2b-256 with the personalisation ``p`` (16 bytes), which keeps uses apart."""
    if len(p) != 16:
        raise ValueError("a personalisation has 16 bytes")
    return hashlib.blake2b(data, digest_size=SIZE, person=p).digest()


def keyed(key: Guarded, data: bytes) -> bytes:
    """BLAKE2b-256 keyed with ``key`` (32 bytes). Compare results in constant time."""
    if len(key) != 32:
        raise ValueError("a digest key has 32 bytes")
    out = sodium.ffi.new("unsigned char[]", SIZE)
    if sodium.blake2b(out, SIZE, data, len(data), key.pointer, 32, _ZERO, _ZERO) != 0:
        raise RuntimeError("libsodium could not compute a digest")
    key.confirm()
    return bytes(sodium.ffi.buffer(out, SIZE))


def jcs(value: Any) -> bytes:
    """RFC 8785 for what the vault stores: no fractions, integers to 2^53-1, ASCII keys.

    Within that, code point order is the UTF-16 order that the RFC asks for, and Python's
    escapes are its escapes. ``ValueError`` for anything else.
    """
    _check(value)
    return _json(value).encode()


def _check(value: Any) -> None:
    kind = type(value)
    if kind in _SAFE:
        return
    if kind is int:
        if not -_EXACT <= value <= _EXACT:
            raise ValueError("an integer beyond 2^53-1 has no canonical form")
    elif kind is dict:
        for name in value:
            if type(name) is not str or not name.isascii():
                raise ValueError("keys of canonical JSON are ASCII text here")
        for inner in value.values():
            _check(inner)
    elif kind is list or kind is tuple:
        for inner in value:
            _check(inner)
    else:
        raise ValueError(f"{kind.__name__} has no canonical form here")


# To copy a state takes half as long as to set one up.
_row: Final = hashlib.blake2b(digest_size=SIZE, person=b"scaivault-arow-1")
_link: Final = hashlib.blake2b(digest_size=SIZE, person=b"scaivault-alnk-1")


def chain_start(vault_id: str) -> bytes:
    """h0 of the audit chain."""
    return personal(b"scaivault-agen-1", vault_id.encode())


def row_digest(row: bytes) -> bytes:
    """Digest of one audit row in canonical form; stands in for the row once it is pruned."""
    state = _row.copy()
    state.update(row)
    return state.digest()


def link(previous: bytes, row: bytes) -> bytes:
    """The hash after a row: ``previous`` hash and ``row`` digest, 32 raw bytes each."""
    state = _link.copy()
    state.update(previous + row)
    return state.digest()


def pruned_set(seqs: Iterable[int]) -> bytes:
    """``set_hash`` over the sequence numbers of pruned rows, in any order."""
    packed = b"".join(seq.to_bytes(8, "big") for seq in sorted(seqs))
    return personal(b"scaivault-apru-1", packed)
