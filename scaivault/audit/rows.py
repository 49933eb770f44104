"""Rows of the ledger as they are stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from scaivault.audit.tombstones import START
from scaivault.gate.ledger import Record, read_record
from scaivault.storage.file import Connection

_THESE: Final = (
    "SELECT seq, hash, record FROM ledger WHERE seq IN (SELECT value FROM json_each(:seqs))"
)
_BETWEEN: Final = "SELECT seq, hash, record FROM ledger WHERE seq BETWEEN ? AND ?"
_HOLDS: Final = " AND instr(record, ?)"
_HASHES: Final = "SELECT seq, hash FROM ledger WHERE seq IN (SELECT value FROM json_each(:seqs))"


class Row(NamedTuple):
    seq: int
    hash: bytes
    entry: Record


def head(db: Connection) -> int:
    """The number of the newest row."""
    row = db.execute("SELECT seq FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
    return 0 if row is None else int(row[0])


def stored(db: Connection, seqs: Sequence[int]) -> list[Row]:
    """Those of the rows that are there and not pruned, rising."""
    found = db.execute(_THESE, {"seqs": json.dumps(list(seqs))}).fetchall()
    rows = [Row(seq, link, entry) for seq, link, text in found if (entry := entry_of(text))]
    rows.sort()
    return rows


def between(db: Connection, first: int, last: int, parts: Sequence[str] = ()) -> list[Row]:
    """Those of the rows ``first`` to ``last`` that are there and not pruned, rising; of these the
    ones whose stored text holds all ``parts``. A tenth of what finding each by its number costs
    where few rows hold them: the others are never text in Python."""
    sql = f"{_BETWEEN}{_HOLDS * len(parts)} ORDER BY seq"
    found = db.execute(sql, (first, last, *parts))
    return [Row(seq, link, entry) for seq, link, text in found if (entry := entry_of(text))]


def hashes(db: Connection, seqs: Iterable[int]) -> dict[int, bytes]:
    """seq -> hash, of pruned rows too."""
    return dict(db.execute(_HASHES, {"seqs": json.dumps(list(seqs))}).fetchall())


def entry_of(text: str) -> Record | None:
    """A stored record; None for what is left of a pruned row."""
    return None if text.startswith(START) else read_record(text)
