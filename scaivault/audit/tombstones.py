"""What is left of a pruned row: its number, its digest, and the row that tells of the pruning."""

from __future__ import annotations

from typing import Final

import msgspec

from scaivault.crypto import digest
from scaivault.gate.ledger import canonical

START: Final = '{"digest"'
"""What the stored text of a tombstone begins with, and that of no record."""


class Tombstone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In canonical (sorted) order; ``digest``: 64 hex."""

    digest: str
    prune_seq: int
    seq: int

    @property
    def row_digest(self) -> bytes:
        return bytes.fromhex(self.digest)


_read: Final = msgspec.json.Decoder(Tombstone).decode


def tombstone(body: bytes) -> Tombstone | None:
    """The tombstone, if these bytes are one exactly as it is written."""
    if not body.startswith(START.encode()):
        return None
    try:
        found = _read(body)
        whole = len(found.row_digest) == digest.SIZE and canonical(found) == body
    except ValueError:
        return None
    return found if whole else None


def digest_of(body: bytes) -> bytes:
    """The row digest of a stored record or tombstone."""
    found = tombstone(body)
    return digest.row_digest(body) if found is None else found.row_digest
