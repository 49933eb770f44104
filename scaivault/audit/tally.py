"""Counting rows: by the index where a segment counts as a whole, by the rows themselves elsewhere.

Both ways count the same things (``Count``), and a test holds them to the same sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from scaivault.audit import columns, rows, search
from scaivault.audit.filters import Sight
from scaivault.audit.lookup import Places, Span, fulfilling
from scaivault.audit.search import Question, Stretch
from scaivault.audit.terms import (
    SEGMENT,
    VALUES,
    Kind,
    Said,
    flags,
    places,
    said,
    segment_of,
)
from scaivault.gate.ledger import Record
from scaivault.storage.file import Connection

WINDOW: Final = 64  # segments counted in one step, some 100 ms
# Up to so many rows of a segment in the mean are sooner decoded, 20 us each, than counted.
FEW: Final = 16
_READ: Final = "read"


class Of(Enum):
    """Which of the rows are counted."""

    EVERY = "every"
    GRANTED = "granted"
    READ = "read"  # granted reads


class Count(NamedTuple):
    """Rows by their value of a kind."""

    of: Of
    kind: Kind


class Mark(NamedTuple):
    """A row that stands out."""

    seq: int
    at: str
    by: str | None


class Tally:
    """Sums of the rows that a question means. ``marks``: keep the first and the last row, and the
    last granted read."""

    def __init__(self, counts: tuple[Count, ...], *, marks: bool = False) -> None:
        self.counts: Final[dict[Count, Counter[str]]] = {one: Counter() for one in counts}
        self.marks: Final = marks
        self.first: Mark | None = None
        self.last: Mark | None = None
        self.last_read: Mark | None = None

    def sum(self, of: Of, kind: Kind, value: str = "") -> int:
        return self.counts[Count(of, kind)][value]

    def add(self, entry: Record) -> None:
        """One row."""
        row = Said._make(said(entry))
        for (of, kind), counter in self.counts.items():
            value = VALUES[kind](row) if _is(of, entry) else None
            if value is not None:
                counter[value] += 1
        if self.marks:
            self.mark(entry)

    def mark(self, entry: Record) -> None:
        """Whether a row stands out."""
        mark = Mark(entry.seq, entry.timestamp, entry.identity_id)
        if self.first is None or mark.seq < self.first.seq:
            self.first = mark
        if self.last is None or mark.seq > self.last.seq:
            self.last = mark
        if _is(Of.READ, entry) and (self.last_read is None or mark.seq > self.last_read.seq):
            self.last_read = mark

    # -- by the index --------------------------------------------------------------------------

    def count(self, db: Connection, question: Question, first: int, last: int) -> None:
        """The segments ``first`` to ``last``, those that are wholly in time."""
        (conditions,) = question.alternatives()
        inside = search.full(db, question.filter, first, last)
        if not inside:
            return
        met = fulfilling(db, question.owner, conditions, min(inside), max(inside))
        met = {segment: bits for segment, bits in met.items() if segment in inside}
        if sum(map(int.bit_count, met.values())) <= FEW * len(met):
            self._decode(db, question, met)
            return
        if question.sight.allowed_paths:
            met = _reached(db, question.sight, met)
        if met:
            self._count(db, question.owner, met)

    def _count(self, db: Connection, owner: str, met: Places) -> None:
        bounds = min(met), max(met)
        refused = fulfilling(db, owner, [(Span(Kind.REFUSED, ""),)], *bounds)
        read = fulfilling(db, owner, [(Span(Kind.ACTION, _READ),)], *bounds)
        granted = {segment: bits & ~refused.get(segment, 0) for segment, bits in met.items()}
        reads = {segment: bits & read.get(segment, 0) for segment, bits in granted.items()}
        chosen = {Of.EVERY: met, Of.GRANTED: granted, Of.READ: reads}
        flagged = {of: {n: flags(bits) for n, bits in chosen[of].items()} for of in chosen}
        for (of, kind), counter in self.counts.items():
            if kind is Kind.ALL:
                counter[""] += sum(map(int.bit_count, chosen[of].values()))
            elif kind is Kind.REFUSED:
                hits = (bits & refused.get(segment, 0) for segment, bits in chosen[of].items())
                counter[""] += sum(map(int.bit_count, hits))
            else:
                for segment, column in columns.stored(db, kind, met):
                    column.add_up(flagged[of][segment], counter)
        if self.marks:
            self._find_marks(db, met, reads)

    def _find_marks(self, db: Connection, met: Places, reads: dict[int, int]) -> None:
        lowest, highest = min(met), max(met)
        seqs = {_seqs(lowest, met[lowest])[0], _seqs(highest, met[highest])[-1]}
        last_read = max((segment for segment, bits in reads.items() if bits), default=None)
        if last_read is not None:
            seqs.add(_seqs(last_read, reads[last_read])[-1])
        for row in rows.stored(db, sorted(seqs)):
            self.mark(row.entry)

    def _decode(self, db: Connection, question: Question, met: Places) -> None:
        seqs = [seq for segment in met for seq in _seqs(segment, met[segment])]
        for start in range(0, len(seqs), search.STEP):
            for row in rows.stored(db, seqs[start : start + search.STEP]):
                if question.means(row.entry):
                    self.add(row.entry)


def _reached(db: Connection, sight: Sight, met: Places) -> Places:
    """Without rows about paths that the token is kept from."""
    left = {}
    for segment, column in columns.stored(db, Kind.PATH, met):
        bits = met[segment] & column.where(map(sight.reaches, column.names))
        if bits:
            left[segment] = bits
    return left


def windows(stretch: Stretch) -> Iterator[tuple[int, int]]:
    """First and last segment of what ``Tally.count`` takes in one step."""
    if stretch.indexed >= stretch.first:
        last = segment_of(stretch.indexed)
        for first in range(segment_of(stretch.first), last + 1, WINDOW):
            yield first, min(first + WINDOW - 1, last)


def _is(of: Of, entry: Record) -> bool:
    if of is Of.EVERY:
        return True
    return entry.success and (of is Of.GRANTED or entry.action == _READ)


def _seqs(segment: int, bits: int) -> list[int]:
    return [segment * SEGMENT + 1 + place for place in places(bits)]
