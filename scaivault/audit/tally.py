"""Counting rows: by the index where a segment counts as a whole, by the rows themselves elsewhere.

Both ways count the same things (``Count``), and a test holds them to the same sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from scaivault.audit import rows, search
from scaivault.audit.search import Question, Span, Stretch
from scaivault.audit.terms import SEGMENT, VALUES, Kind, flags, hits, places, segment_of
from scaivault.gate.ledger import Record
from scaivault.storage.file import Connection

WINDOW: Final = 256  # segments counted in one step
# Rows of a window are sooner decoded (about 40 us each where every row is on a page of its own)
# than counted by the entries of all values (about 1 us each), up to one row for so many entries.
# The least is no matter; the most bounds what the entries of other owners mislead to.
_ENTRIES: Final = 40
LEAST: Final = 1024
MOST: Final = 32_768
_ALL: Final = (Span(Kind.ALL, ""),)
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
        for (of, kind), counter in self.counts.items():
            value = VALUES[kind](entry) if _is(of, entry) else None
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
        if conditions == [_ALL]:
            self._count_all(db, question, first, last)
            return
        inside = search.full(db, question.filter, first, last)
        if not inside:
            return
        met = search.fulfilling(db, question.owner, conditions, min(inside), max(inside))
        met = {segment: bits for segment, bits in met.items() if segment in inside}
        if not met:
            return
        entries = search.weight(db, min(met), max(met))
        most = min(max(LEAST, entries // _ENTRIES), MOST)
        if sum(map(int.bit_count, met.values())) <= most:
            self._decode(db, met)
        else:
            self._count_some(db, question.owner, met)

    def _count_all(self, db: Connection, question: Question, first: int, last: int) -> None:
        for (_, kind), counter in self.counts.items():
            found = search.sums(db, question.owner, kind, question.filter, first, last)
            for value, count in found:
                counter[value] += count

    def _count_some(self, db: Connection, owner: str, met: dict[int, int]) -> None:
        bounds = min(met), max(met)
        refused = search.fulfilling(db, owner, [(Span(Kind.REFUSED, ""),)], *bounds)
        read = search.fulfilling(db, owner, [(Span(Kind.ACTION, _READ),)], *bounds)
        granted = {segment: bits & ~refused.get(segment, 0) for segment, bits in met.items()}
        reads = {segment: bits & read.get(segment, 0) for segment, bits in granted.items()}
        chosen = {Of.EVERY: met, Of.GRANTED: granted, Of.READ: reads}
        flagged = {of: {n: flags(bits) for n, bits in chosen[of].items()} for of in chosen}
        for (of, kind), counter in self.counts.items():
            among, marked = chosen[of], flagged[of]
            for segment, stored, value in search.entries(db, owner, search.whole(kind), *bounds):
                bits = among.get(segment)
                if bits and (count := hits(stored, bits, marked[segment])):
                    counter[value] += count
        if self.marks:
            self._find_marks(db, met, reads)

    def _find_marks(self, db: Connection, met: dict[int, int], reads: dict[int, int]) -> None:
        lowest, highest = min(met), max(met)
        seqs = {_seqs(lowest, met[lowest])[0], _seqs(highest, met[highest])[-1]}
        last_read = max((segment for segment, bits in reads.items() if bits), default=None)
        if last_read is not None:
            seqs.add(_seqs(last_read, reads[last_read])[-1])
        for row in rows.stored(db, sorted(seqs)):
            self.mark(row.entry)

    def _decode(self, db: Connection, met: dict[int, int]) -> None:
        seqs = [seq for segment in met for seq in _seqs(segment, met[segment])]
        for start in range(0, len(seqs), search.STEP):
            for row in rows.stored(db, seqs[start : start + search.STEP]):
                self.add(row.entry)


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
