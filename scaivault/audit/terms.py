"""What the index says of a row, and how it keeps the places of rows.

A segment is 4096 consecutive rows, a place the offset of a row in it. Up to 255 places are kept
as little-endian 16-bit numbers, more as a bitmap of 512 bytes (bit 0 of byte 0: the first row).
In memory places are one integer, the bitmap, so that sets of rows meet by ``&`` and ``|``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

from scaivault.gate.ledger import Record

SEGMENT: Final = 4096
_BITMAP: Final = SEGMENT // 8
_DIGITS: Final = bytes.maketrans(b"01", b"\x00\x01")
_LETTERS: Final = bytes.maketrans(b"\x00\x01", b"01")


class Kind(StrEnum):
    """Of terms; kept with each of them, so they are short."""

    ALL = "all"
    ACTION = "act"
    ADDRESS = "ip"
    CODE = "code"  # of a refusal
    IDENTITY = "id"
    PATH = "path"
    REFUSED = "no"
    TYPE = "type"  # of the identity
    ABROAD = "abroad"  # an identity of the owner, acting upon another one's


def segment_of(seq: int) -> int:
    return (seq - 1) // SEGMENT


def _code(entry: Record) -> str | None:
    code = entry.extra_data.get("error_code")
    return code if isinstance(code, str) else None


VALUES: Final[dict[Kind, Callable[[Record], str | None]]] = {
    Kind.ALL: lambda entry: "",
    Kind.ACTION: lambda entry: entry.action,
    Kind.ADDRESS: lambda entry: entry.source_ip,
    Kind.CODE: _code,
    Kind.IDENTITY: lambda entry: entry.identity_id or "",
    Kind.PATH: lambda entry: entry.secret_path,
    Kind.REFUSED: lambda entry: None if entry.success else "",
    Kind.TYPE: lambda entry: entry.identity_type,
}
"""The value of a row by kind, None where it has none. Rows of nobody have the identity ``""``."""


def terms(entry: Record) -> Iterator[tuple[str, Kind, str]]:
    """(owner, kind, value) of a row."""
    owners = _owners(entry)
    for kind, value_of in VALUES.items():
        value = value_of(entry)
        if value is not None:
            for owner in owners:
                yield owner, kind, value
    home = entry.actor_tenant_id
    if home is not None and entry.identity_id is not None and home not in owners:
        yield home, Kind.ABROAD, entry.identity_id


def _owners(entry: Record) -> set[str]:
    """Who sees the row (``filters.Sight``): a tenant, a partner, the vault as a whole (``""``)."""
    if entry.tenant_id is not None:
        return {entry.tenant_id}
    wide = {entry.partner_id or ""}
    return wide if entry.actor_tenant_id is None else {entry.actor_tenant_id, *wide}


def pack(places: list[int]) -> bytes:
    """Places, rising, as they are stored."""
    if len(places) >= _BITMAP // 2:
        bits = bytearray(_BITMAP)
        for place in places:
            bits[place >> 3] |= 1 << (place & 7)
        return bytes(bits)
    return struct.pack(f"<{len(places)}H", *places)


def unpack(stored: bytes) -> int:
    """The bitmap of stored places."""
    if len(stored) == _BITMAP:
        return int.from_bytes(stored, "little")
    bits = 0
    for place in struct.unpack(f"<{len(stored) // 2}H", stored):
        bits |= 1 << place
    return bits


def flags(bits: int) -> bytes:
    """A bitmap as a byte for each place, 1 or 0."""
    return bin(bits)[:1:-1].ljust(SEGMENT, "0").encode().translate(_DIGITS)


def unflags(flagged: bytes) -> int:
    """The bitmap of such bytes."""
    return int(flagged[::-1].translate(_LETTERS), 2)


def places(bits: int) -> list[int]:
    """The places in a bitmap, rising."""
    return [place for place, bit in enumerate(bin(bits)[:1:-1]) if bit == "1"]
