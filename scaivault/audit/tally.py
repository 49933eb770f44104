"""Counting rows: by the index where a segment counts as a whole, by the rows themselves elsewhere.

Both ways count the same things (``Count``), and a test holds them to the same sums.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import Final, NamedTuple

from scaivault.audit import rows, search
from scaivault.audit.search import Question, Span, Stretch
from scaivault.audit.terms import SEGMENT, VALUES, Kind, places, segment_of, unpack
from scaivault.gate.ledger import Record
from scaivault.storage.file import Connection

WINDOW: Final = 64  # segments counted in one step
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

    def count(self, db: Connection, question: Question, stretch: Stretch, window: int) -> None:
        """The segments of a window that are wholly in time. The question takes one condition at
        most besides its time."""
        first = segment_of(stretch.first) + window * WINDOW
        last = min(first + WINDOW - 1, segment_of(stretch.indexed))
        inside = search.full(db, question.filter, first, last)
        if not inside:
            return
        (conditions,) = question.alternatives()
        if conditions == [(Span(Kind.ALL, ""),)] and not self.marks:
            self._count_all(db, question.owner, inside)
            return
        met = search.fulfilling(db, question.owner, conditions, min(inside), max(inside))
        met = {segment: bits for segment, bits in met.items() if segment in inside}
        if sum(map(int.bit_count, met.values())) <= search.STEP:
            self._decode(db, [seq for segment in met for seq in _seqs(segment, met[segment])])
        elif met:
            self._count_some(db, question.owner, met)

    def _count_all(self, db: Connection, owner: str, inside: set[int]) -> None:
        for (_, kind), counter in self.counts.items():
            span = search.whole(kind)
            for segment, _, value, count in search.entries(
                db, owner, span, min(inside), max(inside)
            ):
                if segment in inside:
                    counter[value] += count

    def _count_some(self, db: Connection, owner: str, met: dict[int, int]) -> None:
        bounds = min(met), max(met)
        refused = search.fulfilling(db, owner, [(Span(Kind.REFUSED, ""),)], *bounds)
        read = search.fulfilling(db, owner, [(Span(Kind.ACTION, _READ),)], *bounds)
        granted = {segment: bits & ~refused.get(segment, 0) for segment, bits in met.items()}
        reads = {segment: bits & read.get(segment, 0) for segment, bits in granted.items()}
        chosen = {Of.EVERY: met, Of.GRANTED: granted, Of.READ: reads}
        for kind in {count.kind for count in self.counts}:
            wanted = [
                (chosen[of], counter)
                for (of, is_kind), counter in self.counts.items()
                if is_kind is kind
            ]
            for segment, stored, value, _ in search.entries(db, owner, search.whole(kind), *bounds):
                bits = unpack(stored) if segment in met else 0
                for of, counter in wanted:
                    if bits and (count := (of[segment] & bits).bit_count()):
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

    def _decode(self, db: Connection, seqs: list[int]) -> None:
        for row in rows.stored(db, seqs):
            self.add(row.entry)


def windows(stretch: Stretch) -> range:
    """The windows that ``Tally.count`` takes one after the other."""
    if stretch.indexed < stretch.first:
        return range(0)
    segments = segment_of(stretch.indexed) - segment_of(stretch.first) + 1
    return range(-(-segments // WINDOW))


def _is(of: Of, entry: Record) -> bool:
    if of is Of.EVERY:
        return True
    return entry.success and (of is Of.GRANTED or entry.action == _READ)


def _seqs(segment: int, bits: int) -> list[int]:
    return [segment * SEGMENT + 1 + place for place in places(bits)]
