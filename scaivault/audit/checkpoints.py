"""Checkpoints: what is stored of them, and whether they fit the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from scaivault.audit.findings import Findings
from scaivault.crypto import signing
from scaivault.storage.file import Connection

_LOWEST: Final = -(2**63)

# Texts as bytes: one that is no UTF-8 would end the query instead of being found.
_CHECKED: Final = (
    "SELECT c.seq, c.hash, CAST(c.timestamp AS BLOB), c.prev_seq, CAST(c.key_id AS BLOB),"
    " CAST(c.signature AS BLOB), l.hash FROM checkpoint c LEFT JOIN ledger l ON l.seq = c.seq"
    " WHERE c.seq >= :first AND (c.seq <= :last OR (:behind AND c.seq > :head)) ORDER BY c.seq"
)


_LAST: Final = (
    "SELECT seq FROM checkpoint WHERE timestamp < :time ORDER BY timestamp DESC, seq DESC LIMIT 1"
)


class Span(NamedTuple):
    """Rows ``first`` to ``last`` of a chain that ends at ``head``."""

    first: int
    last: int
    head: int


class _Point(NamedTuple):
    """A stored checkpoint and the stored hash of its row, if that is there."""

    seq: int
    hash: bytes
    timestamp: str
    prev_seq: int
    key_id: str
    signature: str
    row_hash: bytes | None


def stored_keys(connection: Connection) -> dict[str, bytes]:
    """Key id -> public key, of every key that ever signed. A row whose id is not that of its
    key is left out, so that its checkpoints count as forged."""
    keys = {}
    for key_id, text in connection.execute(
        "SELECT id, public_key FROM signing_key WHERE purpose = 'checkpoint'"
    ):
        try:
            public = signing.from_base64url(text)
        except ValueError:
            continue
        if signing.checkpoint_key_id(public) == key_id:
            keys[key_id] = public
    return keys


def last_before(connection: Connection, time: str) -> int:
    """The row of the last checkpoint before ``time`` (text of ``clock.instant``): every row up to
    it was there by then. 0 where there is none."""
    row = connection.execute(_LAST, {"time": time}).fetchone()
    return 0 if row is None else int(row[0])


def newest(connection: Connection) -> tuple[int, str] | None:
    """Number and time of the last checkpoint."""
    row = connection.execute(
        "SELECT seq, CAST(timestamp AS BLOB) FROM checkpoint ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return None if row is None else (row[0], _text(row[1]))


def check(
    connection: Connection,
    vault_id: str,
    keys: Mapping[str, bytes],
    span: Span,
    findings: Findings,
) -> int:
    """Every checkpoint in the span, and those behind the head when the span reaches it; how
    many."""
    before = _before(connection, span.first)
    known = {before}
    count = 0
    values = {
        "first": _LOWEST if span.first == 1 else span.first,
        "last": span.last,
        "behind": span.last >= span.head,
        "head": span.head,
    }
    for row in connection.execute(_CHECKED, values):
        count += 1
        seq, signed, timestamp, prev_seq, key_id, signature, row_hash = row
        point = _Point(
            seq, signed, _text(timestamp), prev_seq, _text(key_id), _text(signature), row_hash
        )
        if _signed(point, vault_id, keys, findings):
            _compare(point, span.head, findings)
            if point.prev_seq not in known:
                findings.add(
                    "checkpoint_invalid",
                    point.seq,
                    f"it follows a checkpoint at {point.prev_seq}, which is not there",
                )
            before = point.seq
        # The last one and the last genuine one: a forged one in between is told once.
        known = {before, point.seq}
    return count


def _before(connection: Connection, first: int) -> int:
    if first == 1:
        return 0
    row = connection.execute("SELECT max(seq) FROM checkpoint WHERE seq < ?", (first,)).fetchone()
    return row[0] or 0


def _signed(point: _Point, vault_id: str, keys: Mapping[str, bytes], findings: Findings) -> bool:
    public = keys.get(point.key_id)
    if public is None:
        fault = "it is signed with a key that is not one of the vault's"
    elif signing.checkpoint_verified(public, _fields(point, vault_id), point.signature):
        return True
    else:
        fault = "its signature is not over what it says"
    findings.add("checkpoint_invalid", point.seq, fault)
    return False


def _fields(point: _Point, vault_id: str) -> dict[str, Any]:
    return {
        "hash": point.hash.hex(),
        "key_id": point.key_id,
        "prev_seq": point.prev_seq,
        "seq": point.seq,
        "timestamp": point.timestamp,
        "vault_id": vault_id,
    }


def _compare(point: _Point, head: int, findings: Findings) -> None:
    if point.seq > head:
        findings.add("truncated", point.seq, f"row {point.seq} was signed, the rows end at {head}")
    elif point.row_hash is not None and point.row_hash != point.hash:
        findings.add(
            "checkpoint_mismatch", point.seq, "the row's hash is not the one that was signed"
        )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
