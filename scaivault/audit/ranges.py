"""Which stretch of the chain holds the rows of a range of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from scaivault.clock import DAY, instant, parse_instant
from scaivault.crypto import digest
from scaivault.gate.ledger import Record, read_record
from scaivault.storage.file import Connection

# A row says when its request came in, and is committed when that is answered: a job that ran for
# hours leaves rows that are older than their neighbours.
_LATE: Final = DAY
_LAST: Final = parse_instant("9999-12-31")  # a day more is no time of the calendar
_SAMPLE: Final = 2000


class Stretch(NamedTuple):
    """Rows ``first`` to ``last``; none when ``last`` is the row before ``first``."""

    first: int
    last: int


def stretch(db: Connection, since: str, until: str, head: int) -> Stretch:
    """Where rows with ``since <= timestamp < until`` can be, up to row ``head``.

    Each row up to a checkpoint is older than it."""
    (first,) = db.execute(
        "SELECT coalesce((SELECT min(prev_seq) FROM checkpoint WHERE timestamp >= :since),"
        " (SELECT max(seq) FROM checkpoint), 0)",
        {"since": since},
    ).fetchone()
    late = instant(min(parse_instant(until), _LAST - _LATE) + _LATE)
    (last,) = db.execute(
        "SELECT coalesce(min(seq), :head) FROM checkpoint WHERE timestamp >= :late",
        {"late": late, "head": head},
    ).fetchone()
    first = min(first, head)
    return Stretch(first + 1, max(first, min(last, head)))


def estimate(db: Connection, span: Stretch, wanted: Callable[[Record], bool]) -> int:
    """About how many rows are wanted: exact for short stretches, else from a sample."""
    length = span.last - span.first + 1
    step = max(1, length // _SAMPLE)
    rows = db.execute(
        "WITH RECURSIVE spot (seq) AS (SELECT :first UNION ALL SELECT seq + :step FROM spot"
        " WHERE seq + :step <= :last) SELECT l.record FROM spot CROSS JOIN ledger l"
        " ON l.seq = spot.seq WHERE l.record NOT LIKE '{\"digest\"%' AND :first <= :last",
        {"first": span.first, "last": span.last, "step": step},
    )
    return step * sum(wanted(read_record(record)) for (record,) in rows)


def hash_of(db: Connection, seq: int, vault_id: str) -> bytes:
    """The hash behind row ``seq``; of none, number 0, where the chain starts."""
    if seq == 0:
        return digest.chain_start(vault_id)
    (found,) = db.execute("SELECT hash FROM ledger WHERE seq = ?", (seq,)).fetchone()
    return bytes(found)
