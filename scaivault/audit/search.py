"""Finding rows: the index says where to look, the rows themselves say whether they are meant.

A search goes over a fixed stretch of the chain in bounded steps, each one question to a reader: a
step reads some entries of the index or decodes at most ``STEP`` rows, so that neither memory nor
the time that the interpreter is held grows with the ledger.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

from scaivault.audit import rows
from scaivault.audit.checkpoints import last_before
from scaivault.audit.filters import NOBODY, Filter, Sight
from scaivault.audit.lookup import Condition, Span, fulfilling
from scaivault.audit.rows import Row
from scaivault.audit.terms import SEGMENT, Kind, places, segment_of
from scaivault.clock import DAY, instant, parse_instant
from scaivault.gate.globs import compile as compiled
from scaivault.gate.ledger import Record
from scaivault.storage.file import Connection

STEP: Final = 1024
_WIDEST: Final = 256  # segments looked up in one step
_BEHIND: Final = "\x7f"  # sorts behind all that a path may hold

_SEGMENTS: Final = (
    "SELECT number FROM audit_segment WHERE number BETWEEN :first AND :last"
    " AND last_at >= :since AND first_at < :until"
    " AND first_request <= :highest AND last_request >= :lowest"
)
_FULL: Final = (
    "SELECT number FROM audit_segment WHERE number BETWEEN :first AND :last"
    " AND first_at >= :since AND last_at < :until"
)
_FIRST: Final = (
    "SELECT min(number) FROM audit_segment WHERE number >= :lowest"
    " AND last_at >= :since AND first_at < :until"
)


class Reach(Enum):
    """Of a trail of an identity: what it did in sight, what it did elsewhere as one of the
    tenant, or both."""

    HOME = "home"
    ABROAD = "abroad"
    BOTH = "both"


class Question(NamedTuple):
    """Which rows. ``path``: exactly this one."""

    sight: Sight
    filter: Filter
    path: str | None = None
    reach: Reach = Reach.HOME

    @property
    def owner(self) -> str:
        """Whose terms the index holds the rows under."""
        sight = self.sight
        owner = {"tenant": sight.tenant_id, "partner": sight.partner_id, "vault": None}
        return owner[sight.scope] or ""

    def means(self, entry: Record) -> bool:
        """Whether a row is meant."""
        return (
            self.filter.fits(entry)
            and self.path in (None, entry.secret_path)
            and self._in_reach(entry)
        )

    def _in_reach(self, entry: Record) -> bool:
        home = self.sight.sees(entry)
        if self.reach is Reach.HOME:
            return home
        if home:
            return self.reach is Reach.BOTH
        acted = entry.actor_tenant_id == self.sight.tenant_id
        return acted and self.sight.reaches(entry.secret_path)

    def alternatives(self) -> list[list[Condition]]:
        """Rows that are meant fulfil all conditions of at least one of these."""
        found = [] if self.reach is Reach.ABROAD else [self._home()]
        if self.reach is not Reach.HOME:
            found.append([(Span(Kind.ABROAD, self.filter.identity_id or ""),)])
        return found

    def parts(self) -> list[str]:
        """What the stored text of every row that is meant holds, the rarest first. Others may
        hold it too."""
        asked = self.filter
        exact: dict[str, Any] = {
            "request_id": asked.request_id,
            "secret_path": self.path,
            "identity_id": asked.identity_id,
            "source_ip": asked.source_ip,
            "success": asked.success,
            "identity_type": asked.identity_type,
        }
        if asked.actions is not None and len(asked.actions) == 1:
            (exact["action"],) = asked.actions
        found = [_member(name, value) for name, value in exact.items() if value is not None]
        if asked.path_prefix:
            found.append(_member("secret_path", asked.path_prefix)[:-1])
        if self.sight.tenant_id is not None:
            found.append(f'_id":{_encoded(self.sight.tenant_id)}')
        return found

    def _home(self) -> list[Condition]:
        asked = self.filter
        identity = "" if asked.identity_id == NOBODY else asked.identity_id
        exact = (
            (Kind.PATH, self.path),
            (Kind.IDENTITY, identity),
            (Kind.ADDRESS, asked.source_ip),
            (Kind.TYPE, asked.identity_type),
            (Kind.REFUSED, "" if asked.success is False else None),
        )
        found: list[Condition] = [
            (Span(kind, value),) for kind, value in exact if value is not None
        ]
        if asked.actions is not None:
            found.append(tuple(Span(Kind.ACTION, action) for action in sorted(asked.actions)))
        if asked.path_prefix:
            found.append((_below(asked.path_prefix),))
        found += [tuple(map(_within, patterns)) for patterns in self.sight.allowed_paths]
        return found or [(Span(Kind.ALL, ""),)]


def _member(name: str, value: Any) -> str:
    if name == "identity_id" and value == NOBODY:
        value = None
    return f'"{name}":{_encoded(value)}'


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _below(prefix: str) -> Span:
    return Span(Kind.PATH, prefix, prefix + _BEHIND)


def _within(pattern: str) -> Span:
    literal = compiled(pattern).literal_prefix
    return Span(Kind.PATH, pattern) if literal == pattern else _below(literal)


class Stretch(NamedTuple):
    """Rows ``first`` to ``last``, of which those up to ``indexed`` are looked up."""

    first: int
    last: int
    indexed: int


def full(db: Connection, asked: Filter, first: int, last: int) -> set[int]:
    """The segments whose rows are all within the time that is asked for."""
    found = db.execute(_FULL, {**_times(asked), "first": first, "last": last})
    return {number for (number,) in found}


def first_segment(db: Connection, asked: Filter, lowest: int) -> int | None:
    """The first segment from ``lowest`` on with a row in the time that is asked for, if any."""
    (first,) = db.execute(_FIRST, {**_times(asked), "lowest": lowest}).fetchone()
    return None if first is None else int(first)


def signed_before(db: Connection, asked: Filter) -> int:
    """Up to which row all are older than what is asked for, going by the checkpoints. A day is
    allowed for clocks that were set back."""
    if asked.since is None:
        return 0
    return last_before(db, instant(max(0, parse_instant(asked.since) - DAY)))


def _times(asked: Filter) -> dict[str, str]:
    return {"since": asked.since or "", "until": asked.until or _BEHIND}


class Search:
    """One walk over a stretch, in either direction. ``looked``: how many rows were read so far;
    ``reached``: the last of them, where another walk can go on. ``partly``: leave out the segments
    that are wholly in time, as somebody else counts them."""

    def __init__(
        self, question: Question, stretch: Stretch, *, rising: bool = False, partly: bool = False
    ) -> None:
        self._question: Final = question
        self._alternatives: Final = question.alternatives()
        self._parts: Final = question.parts()
        self._stretch: Final = stretch
        self._rising: Final = rising
        self._partly: Final = partly
        self._first, self._last = stretch.first, stretch.last  # not looked at yet
        self._width = 1
        # What was found and not decoded yet; what comes next stands at the end.
        self._segments: list[tuple[int, int]] = []
        self._seqs: list[int] = []
        self.looked = 0
        self.reached = self._passed

    @property
    def done(self) -> bool:
        return not (self._seqs or self._segments) and self._first > self._last

    @property
    def _passed(self) -> int:
        return self._first - 1 if self._rising else self._last + 1

    def step(self, db: Connection) -> list[Row]:
        """The next rows that are meant, in order; none is no end."""
        if not self._seqs and not self._segments:
            span = self._look_through()
            if span is not None:
                self.looked += span[1] - span[0] + 1
                self.reached = self._passed
                return self._meant(rows.between(db, *span, self._parts))
            self._look_up(db)
        while self._segments and len(self._seqs) < STEP:
            self._spread(*self._segments.pop())
        chosen, self._seqs = self._seqs[-STEP:], self._seqs[:-STEP]
        self.looked += len(chosen)
        pending = bool(self._seqs or self._segments)
        self.reached = chosen[0] if pending and chosen else self._passed
        if not chosen:
            return []
        least, most = min(chosen), max(chosen)
        if 2 * len(chosen) > most - least:  # too few to have a segment between them
            return self._meant(rows.between(db, least, most, self._parts))
        return self._meant(rows.stored(db, chosen))

    def _meant(self, found: list[Row]) -> list[Row]:
        found = [row for row in found if self._question.means(row.entry)]
        return found if self._rising else found[::-1]

    def _spread(self, segment: int, bits: int) -> None:
        start = segment * SEGMENT + 1
        stretch = self._stretch
        seqs = [
            start + place for place in places(bits)
            if stretch.first <= start + place <= stretch.last
        ]  # fmt: skip
        self._queue(seqs)

    def _queue(self, seqs: list[int]) -> None:
        self._seqs = (seqs[::-1] if self._rising else seqs) + self._seqs

    def _look_through(self) -> tuple[int, int] | None:
        """The next rows behind the reach of the index, if it is their turn."""
        indexed = self._stretch.indexed
        if self._rising and indexed < self._first <= self._last:
            first, last = self._first, min(self._last, self._first + STEP - 1)
            self._first = last + 1
            return first, last
        if not self._rising and max(indexed, self._first - 1) < self._last:
            first, last = max(self._first, indexed + 1, self._last - STEP + 1), self._last
            self._last = first - 1
            return first, last
        return None

    def _look_up(self, db: Connection) -> None:
        """Where the next rows within it are."""
        if self._first > self._last:
            return
        end = min(self._last, self._stretch.indexed)
        first, last = segment_of(self._first), segment_of(end)
        if self._rising:
            last = min(last, first + self._width - 1)
            self._first = (last + 1) * SEGMENT + 1
        else:
            first = max(first, last - self._width + 1)
            self._last = first * SEGMENT
        self._width = min(self._width * 4, _WIDEST)
        found: dict[int, int] = {}
        inside = self._in_time(db, first, last)
        if inside:
            for conditions in self._alternatives:
                met = fulfilling(db, self._question.owner, conditions, min(inside), max(inside))
                for segment in met.keys() & inside:
                    found[segment] = found.get(segment, 0) | met[segment]
        self._segments = sorted(found.items(), reverse=self._rising)

    def _in_time(self, db: Connection, first: int, last: int) -> set[int]:
        asked = self._question.filter
        values = {
            **_times(asked),
            "lowest": asked.request_id or "",
            "highest": asked.request_id or _BEHIND,
            "first": first,
            "last": last,
        }
        inside = {number for (number,) in db.execute(_SEGMENTS, values)}
        return inside - full(db, asked, first, last) if self._partly else inside
