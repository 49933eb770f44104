"""Rows of the ledger as lines of files. Forms: docs/formats.md, Exports."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from scaivault.audit.tombstones import Tombstone, tombstone
from scaivault.gate.ledger import Record, canonical, read_record

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@")
COLUMNS: Final = (
    "id", "timestamp", "action", "identity_type", "identity_id", "secret_path", "source_ip",
    "user_agent", "success", "duration_ms", "request_id", "extra_data", "tenant_id", "partner_id",
    "actor_tenant_id", "seq", "prev_hash", "hash",
)  # fmt: skip


class Line(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A record with the hashes before and behind it, in canonical (sorted) order."""

    action: str
    actor_tenant_id: str | None
    duration_ms: int
    extra_data: dict[str, Any]
    hash: str
    id: str
    identity_id: str | None
    identity_type: str | None
    partner_id: str | None
    prev_hash: str
    request_id: str
    secret_path: str | None
    seq: int
    source_ip: str | None
    success: bool
    tenant_id: str | None
    timestamp: str
    user_agent: str | None


class Gap(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A tombstone with the hashes, where an archive holds one."""

    digest: str
    hash: str
    prev_hash: str
    prune_seq: int
    seq: int


def line(entry: Record, before: bytes, behind: bytes) -> Line:
    """``entry`` between the hashes ``before`` and ``behind`` it."""
    fields = {name: getattr(entry, name) for name in Record.__struct_fields__}
    return Line(**fields, prev_hash=before.hex(), hash=behind.hex())


def record_of(found: Line) -> Record:
    """The row that a line was made of."""
    return Record(**{name: getattr(found, name) for name in Record.__struct_fields__})


def jsonl(found: Line | Gap) -> bytes:
    return canonical(found) + b"\n"


def stored_line(body: bytes, before: bytes, behind: bytes) -> bytes:
    """The line of a stored row, pruned or not."""
    left = tombstone(body)
    if left is None:
        return jsonl(line(read_record(body), before, behind))
    return jsonl(_gap(left, before, behind))


def _gap(left: Tombstone, before: bytes, behind: bytes) -> Gap:
    return Gap(left.digest, behind.hex(), before.hex(), left.prune_seq, left.seq)


def csv_header() -> bytes:
    return _row(COLUMNS)


def csv_line(found: Line) -> bytes:
    """RFC 4180; null is an empty cell, ``extra_data`` JSON text."""
    return _row(_cell(name, getattr(found, name)) for name in COLUMNS)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = canonical(value).decode() if name == "extra_data" else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()
