"""What the index says of a row, and how it keeps the places of rows.

A segment is 4096 consecutive rows, a place the offset of a row in it. Up to 255 places are kept
as little-endian 16-bit numbers, more as a bitmap of 512 bytes (bit 0 of byte 0: the first row).
In memory places are one integer, the bitmap, so that sets of rows meet by ``&`` and ``|``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple

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


class Said(NamedTuple):
    """What a row says that the index knows; alike in many rows."""

    secret_path: str | None
    action: str
    identity_id: str | None
    source_ip: str | None
    success: bool
    tenant_id: str | None
    partner_id: str | None
    actor_tenant_id: str | None
    identity_type: str | None
    code: Any  # of a refusal


def said(entry: Record) -> tuple[Any, ...]:
    """The fields of ``Said``, as they are gathered of each row that is committed."""
    return (
        entry.secret_path, entry.action, entry.identity_id, entry.source_ip, entry.success,
        entry.tenant_id, entry.partner_id, entry.actor_tenant_id, entry.identity_type,
        entry.extra_data.get("error_code"),
    )  # fmt: skip


VALUES: Final[dict[Kind, Callable[[Said], str | None]]] = {
    Kind.ALL: lambda row: "",
    Kind.ACTION: lambda row: row.action,
    Kind.ADDRESS: lambda row: row.source_ip,
    Kind.CODE: lambda row: row.code if isinstance(row.code, str) else None,
    Kind.IDENTITY: lambda row: row.identity_id or "",
    Kind.PATH: lambda row: row.secret_path,
    Kind.REFUSED: lambda row: None if row.success else "",
    Kind.TYPE: lambda row: row.identity_type,
}
"""The value of a row by kind, None where it has none. Rows of nobody have the identity ``""``."""


def terms(fields: tuple[Any, ...]) -> Iterator[tuple[str, Kind, str]]:
    """(owner, kind, value) of a row that said so."""
    row = Said._make(fields)
    owners = _owners(row)
    for kind, value_of in VALUES.items():
        value = value_of(row)
        if value is not None:
            for owner in owners:
                yield owner, kind, value
    home = row.actor_tenant_id
    if home is not None and row.identity_id is not None and home not in owners:
        yield home, Kind.ABROAD, row.identity_id


def _owners(row: Said) -> set[str]:
    """Who sees the row (``filters.Sight``): a tenant, a partner, the vault as a whole (``""``)."""
    if row.tenant_id is not None:
        return {row.tenant_id}
    wide = {row.partner_id or ""}
    return wide if row.actor_tenant_id is None else {row.actor_tenant_id, *wide}


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
