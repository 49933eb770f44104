"""Tombstones held against the rows that tell of their pruning.

The rows of one pruning are known by their numbers alone: their set's hash, their count, the first
and the last. Each ``audit_prune`` row stands behind all that it tells of, so that one walk along
the chain meets first the tombstones and then the row, and holds only sets that are still open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from scaivault.audit.checkpoints import last_before
from scaivault.audit.findings import Findings
from scaivault.audit.prune import ACTION
from scaivault.audit.tombstones import START, Tombstone, tombstone
from scaivault.gate.ledger import Record, read_record
from scaivault.storage.file import Connection

_STONES: Final = (
    "SELECT CAST(record AS BLOB) FROM ledger WHERE seq BETWEEN ? AND ?"
    " AND substr(record, 1, 9) = ? ORDER BY seq"
)


class _Set:
    """The numbers of one pruning, rising."""

    def __init__(self) -> None:
        self._hash: Final = hashlib.blake2b(digest_size=32, person=b"scaivault-apru-1")
        self.rows = 0
        self.first = self.last = 0

    def add(self, seq: int) -> None:
        self._hash.update(seq.to_bytes(8, "big"))
        self.first = self.first or seq
        self.last = seq
        self.rows += 1

    def told(self) -> dict[str, Any]:
        """What the row says that tells of it."""
        return {
            "rows": self.rows,
            "first_seq": self.first,
            "last_seq": self.last,
            "set_hash": self._hash.hexdigest(),
        }


class Prunes:
    """For one walk from row ``first`` on."""

    def __init__(self, connection: Connection, findings: Findings, first: int) -> None:
        self._connection: Final = connection
        self._findings: Final = findings
        self._first: Final = first
        self._open: Final[dict[int, _Set]] = {}
        self._partial: Final[set[int]] = set()
        self.count = 0

    def stone(self, stone: Tombstone) -> None:
        """A pruned row on the way."""
        self.count += 1
        if not stone.seq < stone.prune_seq < 2**63:
            self._unmatched(stone.seq, "no later row can tell of its pruning")
            return
        self._open.setdefault(stone.prune_seq, _Set()).add(stone.seq)

    def row(self, entry: Record) -> None:
        """Another row on the way."""
        if entry.action != ACTION or not entry.success:
            return
        first = entry.extra_data.get("first_seq")
        found = self._open.pop(entry.seq, _Set())
        if isinstance(first, int) and first < self._first:
            self._partial.add(entry.seq)  # some of its tombstones stand before the walk
        else:
            self._judge(entry.seq, entry, found)

    def finish(self) -> None:
        """What the walk met only a part of."""
        wanted = {*self._open, *self._partial}
        self._open.clear()
        entries = {seq: self._entry(seq) for seq in wanted}
        sets = {seq: _Set() for seq in wanted}
        spans = [span for entry in entries.values() if (span := _span(entry)) is not None]
        if spans:
            self._collect(sets, min(first for first, _ in spans), max(last for _, last in spans))
        for seq, entry in sorted(entries.items()):
            self._judge(seq, entry, sets[seq])

    def _collect(self, sets: dict[int, _Set], first: int, last: int) -> None:
        rows: Iterable[tuple[bytes]] = self._connection.execute(_STONES, (first, last, START))
        for (body,) in rows:
            stone = tombstone(body)
            if stone is not None and stone.prune_seq in sets:
                sets[stone.prune_seq].add(stone.seq)

    def _entry(self, seq: int) -> Record | None:
        row = self._connection.execute(
            "SELECT CAST(record AS BLOB) FROM ledger WHERE seq = ?", (seq,)
        ).fetchone()
        try:
            entry = None if row is None else read_record(row[0])
        except (ValueError, RecursionError):
            return None
        return entry if entry is not None and entry.action == ACTION else None

    def _judge(self, seq: int, entry: Record | None, found: _Set) -> None:
        if entry is None:
            self._unmatched(found.first or seq, f"row {seq} tells of no pruning")
            return
        said = entry.extra_data
        if any(said.get(name) != value for name, value in found.told().items()):
            self._unmatched(seq, "other rows were pruned than the row tells of")
        elif said.get("tenant_id") != entry.tenant_id or entry.identity_id != "system:audit":
            self._unmatched(seq, "the row tells of another tenant's rows")
        elif not self._was_due(entry, found.last):
            self._unmatched(seq, "rows were pruned that are not older than the cutoff")

    def _was_due(self, entry: Record, last: int) -> bool:
        cutoff = entry.extra_data.get("cutoff")
        if not isinstance(cutoff, str) or cutoff >= entry.timestamp:
            return False
        return last <= last_before(self._connection, cutoff)

    def _unmatched(self, seq: int, detail: str) -> None:
        self._findings.add("prune_unmatched", seq, detail)


def _span(entry: Record | None) -> tuple[int, int] | None:
    if entry is None:
        return None
    first, last = entry.extra_data.get("first_seq"), entry.extra_data.get("last_seq")
    if isinstance(first, int) and isinstance(last, int) and 0 < first <= last < entry.seq:
        return first, last
    return None
